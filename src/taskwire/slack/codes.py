"""Slack's documented error codes for the methods that we call, grouped by their meaning for us.

A code on no list counts as an unknown outcome in `errors`. These documented codes are left out for that
reason: update_failed, file_update_failed, internal_error, fatal_error, service_unavailable and
request_timeout. Source: https://docs.slack.dev/reference/methods
"""


def _named(words: str) -> frozenset[str]:
    return frozenset(words.split())


LIMITED = _named("message_limit_exceeded rate_limited ratelimited")

CHANNEL = _named(
    """
    cant_broadcast_message channel_is_limited_access channel_not_found external_channel_migrating
    invalid_channel is_archived is_inactive messages_tab_disabled method_not_supported_for_channel_type
    no_access not_in_channel posting_to_channel_denied restricted_action
    restricted_action_non_threadable_channel restricted_action_read_only_channel
    restricted_action_thread_locked restricted_action_thread_only_channel thread_locked user_not_in_channel
    """
)

MESSAGE = _named("cannot_reply_to_message message_not_found thread_not_found")

DIALOG = _named(
    "duplicate_external_id exchanged_trigger_id expired_trigger_id hash_conflict invalid_trigger_id not_found"
)

TOKEN = _named(
    """
    access_denied account_inactive ekm_access_denied enterprise_is_restricted invalid_auth no_permission
    not_allowed_token_type not_authed org_login_required team_access_not_granted token_expired
    token_revoked two_factor_setup_required
    """
)

SCOPE = _named("missing_scope")

OTHERS = _named(
    """
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
    no_reaction no_such_subteam no_text not_enabled not_enough_users not_implemented not_reactable
    not_visible plan_upgrade_required slack_connect_blocked_file_type slack_connect_canvas_sharing_blocked
    slack_connect_clip_sharing_blocked slack_connect_file_link_sharing_blocked
    slack_connect_file_upload_sharing_blocked slack_connect_lists_sharing_blocked snippet_too_large
    storage_limit_reached streaming_state_conflict team_not_found template_not_visible too_many_attachments
    too_many_contact_cards too_many_emoji too_many_reactions too_many_users unable_to_share_files
    unknown_method unknown_snippet_type unknown_subtype user_disabled user_not_found user_not_visible
    users_list_not_supplied users_not_found view_too_large
    """
)
