"""The functions of text/template, Sprig and Helm that charts use, by their names.

Each module has `FUNCTIONS`, and `TAKES_UNKNOWN`: the names of those that make something of texts which are not known.
The result of any other is unknown where an argument is.
Source: Go, text/template funcs.go; Masterminds/sprig v3 functions.go; Helm, pkg/engine/funcs.go.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

Function = Callable[..., object]


@cache
def functions() -> dict[str, Function]:
    from gpulint.source.gotemplate.functions import collections, encodings, logic, numbers, patterns, texts, versions

    found: dict[str, Function] = {}
    for module in (texts, collections, logic, numbers, encodings, patterns, versions):
        found.update(module.FUNCTIONS)
    return found


@cache
def takes_unknown() -> frozenset[str]:
    from gpulint.source.gotemplate.functions import collections, encodings, logic, texts

    return texts.TAKES_UNKNOWN | collections.TAKES_UNKNOWN | logic.TAKES_UNKNOWN | encodings.TAKES_UNKNOWN


# Of Sprig, but different each time or made up on the spot: nothing is known of what they give.
RANDOM = frozenset({
    "randAlphaNum", "randAlpha", "randAscii", "randNumeric", "randBytes", "randInt", "uuidv4", "shuffle", "now", "ago",
    "genPrivateKey", "genCA", "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert",
    "genSignedCertWithKey", "derivePassword", "buildCustomCert", "encryptAES", "decryptAES", "bcrypt", "htpasswd",
    "getHostByName", "date", "dateInZone", "dateModify", "date_in_zone", "date_modify", "htmlDate", "htmlDateInZone",
    "unixEpoch", "toDate", "mustToDate", "must_date_modify", "mustDateModify", "duration", "durationRound",
})  # fmt: skip
