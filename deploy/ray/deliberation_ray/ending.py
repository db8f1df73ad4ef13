"""How an answer ended, by its finish reason."""

import re

# Parts of finish reasons. The first match counts. Without a match, the answer is whole.
_ENDINGS = {
    "unnamed": r"unspecified|unknown|^(other|none|null|undefined)$",
    "filtered": r"filter|safety|block|prohibited|refus|recitation|spii|moderat|guardrail|sensitive|toxic|violat"
    r"|jailbreak|^language$",
    "called a tool": r"tool|function",
    "broken": r"cancel|abort|error|fail|time_?limit|timeout|timed|interrupt|resource|network|unload|overload"
    r"|disconnect|preempt|evict|pause|shut|kill",
    "cut": r"length|max_|maxtokens|limit|context|window|exceed|truncat|incomplete|budget|repeti|\bcut",
}


def ending_of(finish_reason: str) -> str:
    """Returns a key of _ENDINGS, or `whole`. `unnamed` means that the finish reason says nothing."""
    for ending, words in _ENDINGS.items():
        if re.search(words, finish_reason.strip(), re.IGNORECASE):
            return ending
    return "whole"


def cut_reason(finish_reason: str) -> str:
    """Returns `length` for an answer that was cut at the token limit; for other limits it adds the server's word."""
    at_token_limit = re.search(r"length|max_|maxtokens|limit", finish_reason, re.IGNORECASE)
    return "length" if at_token_limit else f"length ({finish_reason[:48]})"
