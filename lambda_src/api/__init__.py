"""What every resource of the API stands on: requests, answers, cursors, ids. A fork keeps this folder as it is."""
