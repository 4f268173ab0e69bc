"""Routes about templates and their versions, presets, parameters and external accounts."""

from taskwire_sandbox.coder import search, shapes
from taskwire_sandbox.coder.calls import Call
from taskwire_sandbox.coder.people_routes import organization_of
from taskwire_sandbox.coder.rows import Template
from taskwire_sandbox.coder.wire import Refusal, Response, json_response, not_found

TEMPLATE_KEYS = (
    "organization", "exact_name", "exact_display_name", "name", "display_name", "deleted", "ids",
    "deprecated", "has-ai-task", "author", "author_id", "has_external_agent",
)  # fmt: skip


def list_templates(call: Call) -> Response:
    """Answer with the templates that match the query and that the viewer can read."""
    return _list(call, list(call.world.templates.values()))


def list_organization_templates(call: Call) -> Response:
    """Answer with one organization's templates."""
    organization = organization_of(call)
    return _list(call, [each for each in call.world.templates.values() if each.organization is organization])


def _list(call: Call, candidates: list[Template]) -> Response:
    terms, problems = search.parse(call.query.get("q", ""), bare="display_name")
    booleans = {key: search.boolean(terms, key, problems) for key in ("deprecated", "has-ai-task", "deleted")}
    texts = {key: search.single(terms, key, problems) for key in TEMPLATE_KEYS if key not in booleans}
    problems += search.excess(terms, TEMPLATE_KEYS, call.world.record_violation)
    organization = call.world.find_organization(texts["organization"]) if texts["organization"] else None
    if texts["organization"] and organization is None:
        problems.append(("organization", "either does not exist, or you are unauthorized to view it"))
    if problems:
        raise Refusal(400, "Invalid template search query.", validations=problems)
    found = [
        template
        for template in candidates
        if call.viewer.can_read_template(template)
        and (organization is None or template.organization is organization)
        and _fits(template, texts, booleans)
    ]
    return json_response(
        200, [shapes.template_json(each) for each in sorted(found, key=lambda each: each.name)]
    )


def _fits(template: Template, texts: dict[str, str], booleans: dict[str, bool | None]) -> bool:
    name, display_name = template.name.lower(), template.display_name.lower()
    author = texts["author"]
    return all(
        (
            booleans["deprecated"] in (None, bool(template.deprecation)),
            booleans["has-ai-task"] in (None, template.active.has_ai_task),
            not booleans["deleted"],
            texts["exact_name"] in ("", name),
            texts["exact_display_name"] in ("", display_name),
            texts["name"] in name,
            texts["display_name"] in display_name,
            author in ("", template.created_by.username.lower()),
            not texts["ids"] or template.id in texts["ids"].split(","),
        )
    )


def get_template(call: Call) -> Response:
    """Answer with one template by its id."""
    return json_response(200, shapes.template_json(_template(call)))


def get_template_by_name(call: Call) -> Response:
    """Answer with one template by its name within an organization."""
    organization, name = organization_of(call), call.params["templatename"].lower()
    for template in call.world.templates.values():
        is_it = template.organization is organization and template.name.lower() == name
        if is_it and call.viewer.can_read_template(template):
            return json_response(200, shapes.template_json(template))
    raise not_found()


def list_versions(call: Call) -> Response:
    """Answer with a template's versions, the newest first, without archived ones."""
    versions = [version for version in reversed(_template(call).versions) if not version.is_archived]
    return json_response(200, [shapes.version_json(version) for version in versions])


def get_version(call: Call) -> Response:
    """Answer with one version."""
    return json_response(200, shapes.version_json(call.version()))


def list_presets(call: Call) -> Response:
    """Answer with a version's presets.

    If the version has no presets, the answer is `null`, because Go encodes a nil slice as `null`.
    """
    presets = call.version().presets
    return json_response(200, [shapes.preset_json(preset) for preset in presets] if presets else None)


def list_parameters(call: Call) -> Response:
    """Answer with a version's rich parameters."""
    return json_response(200, [shapes.parameter_json(each) for each in call.version().parameters])


def list_external_auth(call: Call) -> Response:
    """Answer with the external accounts that a version needs. Say which of them the viewer has linked."""
    version, user = call.version(), call.viewer.user
    url = call.world.settings.access_url
    return json_response(200, [shapes.external_auth_json(each, user, url) for each in version.external_auth])


def _template(call: Call) -> Template:
    found = call.world.templates.get(call.uuid("template"))
    if found is None or not call.viewer.can_read_template(found):
        raise not_found()
    return found
