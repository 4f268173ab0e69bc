"""What Slack's answers mean for a caller: done, certainly not done, or unknown.

    NotDone
    ├── Refused
    │   └── SlackRefused(code)      an error code that Slack documents
    │       ├── ChannelProblem      the channel does not exist, is archived, or is closed to this message
    │       ├── MessageGone         the message or the thread's root does not exist
    │       ├── DialogGone          the trigger has expired, or the view is closed or newer
    │       └── ForeignUrl          the URL is not Slack's; nothing was sent there
    ├── TokenProblem(code)          what Slack says is wrong with the token
    │   ├── SlackTokenRefused       the token is invalid or expired: an AccountRefused
    │   └── MissingScope            the token lacks a scope that this method needs: a Refused
    └── TryLater
        ├── SlackRateLimited        status 429, or the error code for it
        ├── NoCapacity              our own rate limiter has no free place yet
        ├── Unreachable             no connection; nothing was written         (taskwire.transport)
        └── DeadlinePassed          too late; nothing was written              (taskwire.transport)
    OutcomeUnknown
    ├── SlackTrouble                internal_error and similar codes, every 5xx, an undocumented code
    ├── UnexpectedSlackAnswer       not JSON, a redirect, a success without what it must contain
    ├── ConnectionCut               the connection broke after the first byte  (taskwire.transport)
    └── NoAnswer                    the time ran out after the first byte      (taskwire.transport)

For a call that only reads, TryLater and OutcomeUnknown mean the same: ask again. This module only classifies
answers and makes no calls. Of an answer, only Slack's error code and Slack's remarks get into the text of an
error.
"""

import re

from taskwire.domain.errors import (
    AccountRefused,
    NoPlace,
    NotDone,
    OutcomeUnknown,
    OutsideError,
    Refused,
    TryLater,
)
from taskwire.slack.payload_fields import read_strings, read_text, read_value


class _RefusedWithCode(NotDone):
    """Slack refused the call. `code` is Slack's error code."""

    def __init__(self, method: str, code: str, remarks: str = "") -> None:
        super().__init__(f"{method}: {code}" + (f" ({remarks})" if remarks else ""))
        self.method = method
        self.code = code


class SlackRefused(_RefusedWithCode, Refused):
    """Slack refused this request. Slack would refuse the same request again."""


class ChannelProblem(SlackRefused):
    """The channel does not exist or is archived, or the bot may not post this message there."""


class MessageGone(SlackRefused):
    """The message, or the root message of the thread, does not exist."""


class DialogGone(SlackRefused):
    """The dialog can no longer be opened or changed."""


class TokenProblem(_RefusedWithCode):
    """The token is invalid or expired, or lacks a scope."""


class SlackTokenRefused(TokenProblem, AccountRefused):
    """The token is invalid or expired."""


class MissingScope(TokenProblem, Refused):
    """The token lacks a scope that this method needs. Other methods may work."""


class ForeignUrl(SlackRefused):
    """The URL does not belong to Slack. Nothing was sent to it."""


class SlackRateLimited(TryLater):
    """Slack's rate limit was exceeded.

    `retry_after_seconds` is the value of Slack's header Retry-After; None if there was no such header.
    """


class NoCapacity(NoPlace):
    """Our own rate limiter has no place for this call yet. `retry_after_seconds` says when to ask again."""


class SlackTrouble(OutcomeUnknown):
    """Slack, or a proxy in front of Slack, failed. `code` is Slack's error code; empty if there was none."""

    def __init__(self, method: str, status: int, code: str = "") -> None:
        super().__init__(f"{method}: {status} {code}".rstrip())
        self.method = method
        self.code = code


class UnexpectedSlackAnswer(OutcomeUnknown):
    """Slack's answer is of a kind that Slack does not document."""

    def __init__(self, method: str, reason: str) -> None:
        super().__init__(f"{method}: {reason}")
        self.method = method


def _split_codes(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Slack's documented error codes for the methods that Taskwire calls, grouped by the error that they raise. A
# code in no group means an unknown outcome. So these documented codes are in no group: update_failed,
# file_update_failed, internal_error, fatal_error, service_unavailable and request_timeout.
# [https://docs.slack.dev/reference/methods]
_RATE_LIMIT_CODES = _split_codes("message_limit_exceeded rate_limited ratelimited")

_CHANNEL_CODES = _split_codes(
    """
    cannot_find_channel cant_broadcast_message channel_is_limited_access channel_not_found
    external_channel_migrating
    invalid_channel is_archived is_inactive messages_tab_disabled method_not_supported_for_channel_type
    no_access not_in_channel posting_to_channel_denied restricted_action
    restricted_action_non_threadable_channel restricted_action_read_only_channel
    restricted_action_thread_locked restricted_action_thread_only_channel thread_locked user_not_in_channel
    """
)

_MESSAGE_CODES = _split_codes(
    "cannot_find_message cannot_reply_to_message message_not_found thread_not_found"
)

_DIALOG_CODES = _split_codes(
    "duplicate_external_id exchanged_trigger_id expired_trigger_id hash_conflict invalid_trigger_id not_found"
)

_TOKEN_CODES = _split_codes(
    """
    access_denied account_inactive ekm_access_denied enterprise_is_restricted invalid_auth no_permission
    not_allowed_token_type not_authed org_login_required team_access_not_granted token_expired
    token_revoked two_factor_setup_required
    """
)

_SCOPE_CODES = _split_codes("missing_scope")

_OTHER_CODES = _split_codes(
    """
    cannot_auth_user cannot_find_service cannot_parse_attachment cannot_prompt cannot_unfurl_message
    cannot_unfurl_url invalid_source invalid_unfurl_id invalid_unfurls_format missing_channel missing_source
    missing_ts missing_unfurl_id missing_unfurls
    accesslimited already_reacted alt_txt_too_large as_user_not_supported attachment_payload_limit_exceeded
    bad_timestamp block_mismatch blocked_file_type cant_delete_message cant_update_message
    canvas_disabled_file_team canvas_disabled_user_team canvas_globally_disabled channels_limit_exceeded
    deprecated_endpoint duplicate_channel_not_found duplicate_message_not_found edit_window_closed
    file_comment_not_found file_deleted file_is_deleted file_not_found file_share_limit_reached
    file_type_not_allowed file_upload_size_restricted file_uploads_disabled
    file_uploads_except_images_disabled invalid_arg_name invalid_arguments invalid_array_arg
    invalid_attachments invalid_blocks invalid_blocks_format invalid_charset invalid_cursor invalid_form_data
    invalid_json invalid_metadata_filter_keys invalid_metadata_format invalid_metadata_schema invalid_name
    invalid_post_type invalid_ts_latest invalid_ts_oldest invalid_user_combination json_not_object
    limit_required markdown_text_conflict max_file_sharing_exceeded metadata_must_be_sent_from_app
    metadata_too_large method_deprecated missing_argument missing_charset missing_file_data missing_post_type
    missing_profile_id msg_blocks_too_long msg_too_long no_dual_broadcast_content_update no_item_specified
    no_reaction no_such_subteam no_text not_authorized not_enabled not_enough_users not_implemented
    not_reactable not_visible plan_upgrade_required slack_connect_blocked_file_type
    slack_connect_canvas_sharing_blocked slack_connect_clip_sharing_blocked
    slack_connect_file_link_sharing_blocked slack_connect_file_upload_sharing_blocked
    slack_connect_lists_sharing_blocked snippet_too_large
    storage_limit_reached streaming_state_conflict team_not_found template_not_visible too_many_attachments
    too_many_contact_cards too_many_emoji too_many_reactions too_many_users unable_to_share_files
    unknown_method unknown_snippet_type unknown_subtype user_disabled user_not_found user_not_visible
    users_list_not_supplied users_not_found view_too_large
    """
)

_ERROR_TYPES: tuple[tuple[frozenset[str], type[SlackRefused | TokenProblem]], ...] = (
    (_CHANNEL_CODES, ChannelProblem),
    (_MESSAGE_CODES, MessageGone),
    (_DIALOG_CODES, DialogGone),
    (_TOKEN_CODES, SlackTokenRefused),
    (_SCOPE_CODES, MissingScope),
    (_OTHER_CODES, SlackRefused),
)


def classify(
    method: str, status: int, body: object, retry_after: str = "", *, secret: str = ""
) -> OutsideError:
    """Return the error for an answer that is not a success. `secret` is removed from the error's text."""
    code = _clean_code(read_text(body, "error"))
    if status == 429 or (status < 500 and code in _RATE_LIMIT_CODES):
        return SlackRateLimited(f"{method}: {code or status}", _parse_retry_after(retry_after))
    if status >= 500:
        return SlackTrouble(method, status, code)
    if read_value(body, "ok") is not False or not code:
        return UnexpectedSlackAnswer(method, f"{status}, and not an answer of Slack's")
    kind = next((kind for named, kind in _ERROR_TYPES if code in named), None)
    return kind(method, code, _remarks(body, secret)) if kind else SlackTrouble(method, status, code)


def _clean_code(error: str) -> str:
    """Return `error` if it looks like an error code of Slack, else an empty string.

    A proxy may have written any text in its place.
    """
    return error if re.fullmatch(r"[a-z][a-z0-9_]{2,60}", error) else ""


def _remarks(body: object, secret: str) -> str:
    """Return Slack's words about missing scopes and malformed arguments, for the log."""
    needed = read_text(body, "needed")
    remarks = read_strings(body, "response_metadata", "messages")
    text = "; ".join(([f"needed: {needed}"] if needed else []) + remarks)[:500]
    return text.replace(secret, "***") if secret else text


def _parse_retry_after(retry_after: str) -> float | None:
    return float(retry_after) if re.fullmatch(r"[0-9]{1,6}", retry_after.strip()) else None
