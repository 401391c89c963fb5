"""Several workers: processes on one or several hosts that train one model together."""
