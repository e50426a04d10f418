"""`python -m firstbell.hub`."""

from firstbell.hub.app import main

if __name__ == "__main__":
    main()
