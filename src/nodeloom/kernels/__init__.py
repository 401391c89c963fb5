"""All compiled code, behind plain arrays: reference | cpu | gpu, which do not know each other."""
