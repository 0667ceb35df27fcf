"use strict";
// What the pages do in the browser: open Bokeh's socket, keep tables up to date, tell the server
// whether anybody can see the tab. Text is set as text and never as HTML.
(() => {
  const body = document.body;
  const root = body.dataset.root;
  const state = document.getElementById("state");

  function tell(text) {
    say(text, text !== "live" && !text.startsWith("recorded"));
  }
  function say(text, bad) {
    state.textContent = text;
    state.classList.toggle("bad", Boolean(bad));
  }

  // ---------------------------------------------------------------- light and dark

  const html = document.documentElement;
  const prefersDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = html.dataset.theme || (prefersDark ? "dark" : "light");

  function keepTheme(name) {
    document.cookie = `hocket_theme=${name}; path=/; max-age=31536000; samesite=strict`;
  }
  document.getElementById("theme").addEventListener("click", () => {
    keepTheme(theme === "dark" ? "light" : "dark");
    location.reload();
  });
  if (!html.dataset.theme && prefersDark) {
    keepTheme("dark"); // So that Bokeh's socket, which opens next, knows.
    html.dataset.theme = "dark";
    setTimeout(() => { document.cookie = "hocket_theme=; path=/; max-age=0; samesite=strict"; }, 5000);
  }

  // ---------------------------------------------------------------- when the server is gone

  let isLost = false;
  function lost() {
    if (isLost) return;
    isLost = true;
    say("No connection: these are the last data", true);
    const timer = setInterval(async () => {
      try {
        const answer = await fetch(`${root}health`, {cache: "no-store"});
        if (answer.ok) { clearInterval(timer); location.reload(); }
      } catch { /* It is still gone. */ }
    }, 3000);
  }

  // ---------------------------------------------------------------- plots

  async function openPlots() {
    const plots = [...document.querySelectorAll(".plot")];
    if (!plots.length || !window.Bokeh) return;
    const ids = plots.map((_, index) => String(index));
    const roots = Object.fromEntries(plots.map((plot, index) => [ids[index], plot.id]));
    await Bokeh.embed.embed_items(
      {}, [{token: body.dataset.token, roots, root_ids: ids, elementid: plots[0].id}]);
    const shown = Bokeh.documents[0];
    if (!shown) { lost(); return; }
    shown.on_event("connection_lost", lost);
    body.dataset.ready = "plots";
    const viewer = shown.get_model_by_name("hocket-viewer");
    const show = () => { viewer.data = {...viewer.data, hidden: [document.hidden ? 1 : 0]}; };
    const look = () => { if (!isLost) tell(viewer.data.state[0]); };
    look();
    setInterval(look, 1000);
    document.addEventListener("visibilitychange", show);
    if (document.hidden) show();
  }

  // ---------------------------------------------------------------- tables

  class LiveTable {
    constructor(element) {
      this.element = element;
      this.sorted = null;
      this.descending = false;
      this.words = new URLSearchParams(location.search).get("q") || "";
      this.busy = false;
      element.textContent = "";
      const tools = this.tools = element.appendChild(document.createElement("div"));
      tools.className = "tools";
      const label = tools.appendChild(document.createElement("label"));
      label.textContent = "Search ";
      this.input = label.appendChild(document.createElement("input"));
      this.input.type = "search";
      this.input.value = this.words;
      this.input.addEventListener("input", () => {
        this.words = this.input.value;
        clearTimeout(this.typing);
        this.typing = setTimeout(() => this.load(), 250);
      });
      this.count = tools.appendChild(document.createElement("span"));
      this.scroll = element.appendChild(document.createElement("div"));
      this.scroll.className = "scroll";
      this.scroll.tabIndex = 0;
      this.scroll.setAttribute("role", "region");
      this.scroll.setAttribute("aria-label", element.dataset.title);
      this.table = this.scroll.appendChild(document.createElement("table"));
      this.head = this.table.createTHead();
      this.body = this.table.createTBody();
    }

    async load() {
      if (document.hidden || this.busy) return;
      this.busy = true;
      try {
        const url = `${this.element.dataset.url}?q=${encodeURIComponent(this.words)}`;
        const answer = await fetch(url, {cache: "no-store"});
        if (!answer.ok) throw new Error(answer.statusText);
        const content = await answer.json();
        tell(content.state);
        this.show(content.tables[0]);
        if (!body.dataset.ready) body.dataset.ready = "tables";
      } catch {
        lost();
      } finally {
        this.busy = false;
      }
    }

    show(data) {
      this.data = data;
      const names = data.columns.map((column) => column.name).join();
      if (this.names !== names) {
        this.names = names;
        this.showHead(data.columns);
      }
      data.columns.forEach((column, position) => {
        const isNumber = data.rows.some((row) => typeof row[position] === "number");
        this.head.rows[0].cells[position].className = isNumber ? "number" : "";
      });
      const shown = data.texts.length;
      this.tools.hidden = data.count === 1 && !this.words;
      this.count.textContent = data.count > shown
        ? `${shown} of ${data.count}: search to see others` : `${data.count}`;
      const order = data.texts.map((_, index) => index);
      if (this.sorted !== null) {
        const key = (index) => data.rows[index][this.sorted];
        const sign = this.descending ? -1 : 1;
        order.sort((one, other) => {
          const [a, b] = [key(one), key(other)];
          if (a === b) return one - other;
          if (a === null) return 1;
          if (b === null) return -1;
          if (typeof a === "string") return sign * a.localeCompare(b, undefined, {numeric: true});
          return sign * (a < b ? -1 : 1);
        });
      }
      const rows = this.body.rows;
      while (rows.length > order.length) this.body.deleteRow(-1);
      order.forEach((index, place) => {
        const row = rows[place] || this.body.insertRow();
        data.columns.forEach((column, position) => {
          const cell = row.cells[position] || row.insertCell();
          this.fill(cell, column, data.rows[index][position], data.texts[index][position]);
        });
        while (row.cells.length > data.columns.length) row.deleteCell(-1);
      });
    }

    showHead(columns) {
      this.head.textContent = "";
      const row = this.head.insertRow();
      columns.forEach((column, position) => {
        const cell = row.appendChild(document.createElement("th"));
        cell.scope = "col";
        const button = cell.appendChild(document.createElement("button"));
        button.type = "button";
        button.textContent = column.title;
        button.addEventListener("click", () => {
          this.descending = this.sorted === position ? !this.descending : Boolean(column.unit);
          this.sorted = position;
          [...row.cells].forEach((each) => each.removeAttribute("aria-sort"));
          cell.setAttribute("aria-sort", this.descending ? "descending" : "ascending");
          this.show(this.data);
        });
      });
    }

    fill(cell, column, value, text) {
      if (cell.dataset.text === text && cell.dataset.column === column.name) return;
      cell.dataset.text = text;
      cell.dataset.column = column.name;
      const isName = column.name === "worker" || column.name === "key";
      cell.className = typeof value === "number" ? "number" : isName ? column.name : "";
      cell.title = column.name === "key" ? text : "";
      cell.textContent = "";
      let target = "";
      if (column.name === "worker" && value) target = `${root}worker/${encodeURIComponent(value)}/`;
      else if (column.name === "key" && value) target = `${root}tasks?q=${encodeURIComponent(value)}`;
      if (target && body.classList.contains("worker") === false) {
        const link = cell.appendChild(document.createElement("a"));
        link.href = target;
        link.textContent = text;
      } else {
        cell.textContent = text;
      }
    }
  }

  const tables = [...document.querySelectorAll(".live-table")].map((each) => new LiveTable(each));
  async function keepUp() {
    for (const table of tables) if (!isLost) await table.load();
    setTimeout(keepUp, 1000);
  }

  const onward = document.getElementById("onward");
  if (onward) location.replace(onward.href);
  if (tables.length) {
    keepUp();
    document.addEventListener("visibilitychange", () => tables.forEach((each) => each.load()));
  }
  openPlots().catch((error) => { console.error(error); lost(); });
})();
