"""`python -m local.up up|status|token|down`: what is in local.up.command, and Ctrl-C from its first moment on."""

import signal
import sys

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end in order, as for Ctrl-C
    try:
        from local.up.command import main  # what it imports takes a moment too

        main()
    except KeyboardInterrupt:
        sys.exit("\ninterrupted: nothing that this run started is left running")
