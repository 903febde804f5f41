"""`make drill`: faults under load, through everything that is deployed."""
