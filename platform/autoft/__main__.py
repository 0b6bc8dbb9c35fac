"""`python -m autoft`."""

from autoft.cli.main import main

if __name__ == "__main__":
    main()
