"""The page of settings is what the settings tree says now."""

from __future__ import annotations

import settings_page
from hocket.core.settings import Settings


def test_the_page_is_fresh(capsys):
    assert settings_page.main(["--check"]) == 0, capsys.readouterr().err


def test_the_page_names_every_setting_with_its_variable():
    page = settings_page.page()
    for name in Settings().to_flat():
        assert f"### {name}\n" in page
        assert f"`HOCKET_{name.replace('.', '__').upper()}`" in page


def test_a_stale_page_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(settings_page, "PAGE", tmp_path / "settings.md")
    assert settings_page.main(["--check"]) == 1
    assert "tools/do.py docs" in capsys.readouterr().err
    assert settings_page.main([]) == 0
    assert settings_page.main(["--check"]) == 0
