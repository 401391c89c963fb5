"""All compiled code, behind plain arrays: reference | cpu (and gpu later), which do not know each other."""
