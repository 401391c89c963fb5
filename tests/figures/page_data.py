"""What a page holds."""

from __future__ import annotations

import base64
import gzip
import re


def data_of(page):
    found = re.findall(r'<script type="text/plain" id="data-(\w+)">([A-Za-z0-9+/=]*)</script>', page)
    return {key: gzip.decompress(base64.b64decode(value)) for key, value in found}
