"""Words that ask for a reply, which depend on what the agent gets from a thread."""

from taskwire.domain.lifecycle.links import Link

# Words for a thread whose every reply goes to the agent; beside them, words for a thread where a reply must
# mention the bot.
_WITH_A_MENTION = {
    "Reply here": "Mention me in a reply",
    "reply here": "mention me in a reply",
    "a reply resumes": "a reply that mentions me resumes",
    "A reply resumes": "A reply that mentions me resumes",
    "A reply in its thread resumes": "A reply in its thread that mentions me resumes",
}


def fit_reply_words(words: str, link: Link) -> str:
    """Return a sentence that asks for a reply. If the agent gets only the replies in the task's thread that
    mention the bot, the sentence asks for a mention."""
    if link.is_mention_only:
        for every_reply, mention in _WITH_A_MENTION.items():
            words = words.replace(every_reply, mention)
    return words
