"""Files and their row groups: finding, selecting, planning and reading them."""
