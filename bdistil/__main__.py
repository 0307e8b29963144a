"""`python -m bdistil` is the same program as `bdistil`."""

from bdistil.cli.main import main

if __name__ == "__main__":
    main()
