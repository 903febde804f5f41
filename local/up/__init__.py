"""`make up`, `make status` and `make down`: the whole path on this machine, through the real `cdk deploy`."""
