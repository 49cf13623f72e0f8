"""`python tests/hub/__main__.py --port 0 --state DIR` (or `python -m hub` with tests/ on the path)."""

import sys
from pathlib import Path

if __name__ == "__main__":
    if not __package__:
        sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from hub.process import main

    main()
