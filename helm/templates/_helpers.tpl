{{- define "taskwire.name" -}}
{{- if contains "taskwire" .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-taskwire" .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "taskwire.selector" -}}
app.kubernetes.io/name: taskwire
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "taskwire.labels" -}}
{{ include "taskwire.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "taskwire.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "taskwire.name" .) -}}
{{- end -}}

{{- define "taskwire.secret" -}}
{{- .Values.existingSecret.name | default (include "taskwire.name" .) -}}
{{- end -}}

{{- define "taskwire.claim" -}}
{{- .Values.persistence.existingClaim | default (printf "%s-data" (include "taskwire.name" .)) -}}
{{- end -}}

{{/* Not empty if there is a Redis that replicas can share. */}}
{{- define "taskwire.redis" -}}
{{- if .Values.existingSecret.name -}}
{{- if .Values.existingSecret.hasRedisUrl }}yes{{ end -}}
{{- else if .Values.secrets.REDIS_URL }}yes{{ end -}}
{{- end -}}

{{/* Refuse values that cannot work, and say what to do. */}}
{{- define "taskwire.check" -}}
{{- $secrets := .Values.secrets -}}
{{- range $name := list "TASKWIRE_HTTP_ADDR" "TASKWIRE_ADMIN_ADDR" "TASKWIRE_DATA_DIR" -}}
{{- if hasKey $.Values.settings $name -}}
{{- fail (printf "The chart sets %s itself: take it out of settings." $name) -}}
{{- end -}}
{{- end -}}
{{- range $name, $_ := .Values.settings -}}
{{- if hasKey $secrets $name -}}
{{- fail (printf "%s is secret: set it under secrets, not settings." $name) -}}
{{- end -}}
{{- end -}}
{{- if not .Values.settings.CODER_URL -}}
{{- fail "Set settings.CODER_URL to the address of your Coder." -}}
{{- end -}}
{{- if not .Values.existingSecret.name -}}
{{- if not $secrets.SLACK_BOT_TOKEN -}}
{{- fail "Set secrets.SLACK_BOT_TOKEN, or name a Secret that holds it in existingSecret.name." -}}
{{- end -}}
{{- if not (or $secrets.SLACK_APP_TOKEN $secrets.SLACK_SIGNING_SECRET) -}}
{{- fail "Set secrets.SLACK_APP_TOKEN for Socket Mode, or secrets.SLACK_SIGNING_SECRET for HTTP." -}}
{{- end -}}
{{- if and (not $secrets.CODER_SESSION_TOKEN) (ne .Values.settings.TASKWIRE_ACCOUNTS "personal") -}}
{{- fail "Set secrets.CODER_SESSION_TOKEN to a token of a Coder account with the role Owner, or settings.TASKWIRE_ACCOUNTS to personal." -}}
{{- end -}}
{{- if and $secrets.REDIS_URL (not $secrets.TASKWIRE_SECRET_KEYS) -}}
{{- fail "Set secrets.TASKWIRE_SECRET_KEYS: with REDIS_URL all pods need the same key. `docker run --rm taskwire new-key` prints one." -}}
{{- end -}}
{{- end -}}
{{- if and (gt (int .Values.replicas) 1) (not (include "taskwire.redis" .)) -}}
{{- fail "More than one replica needs a Redis that they share: set secrets.REDIS_URL (or existingSecret.hasRedisUrl, if your Secret holds it), or set replicas to 1." -}}
{{- end -}}
{{- end -}}
