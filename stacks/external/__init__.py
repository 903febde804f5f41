"""A database outside the account: what the options that have one share. It can stay when the last of them goes."""
