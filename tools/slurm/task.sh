#!/usr/bin/env bash
# What each Slurm job of a sweep runs: task.sh FIRST TOTAL CLI ARGUMENTS...
# It works on shard FIRST plus its place in the array, of TOTAL; where TOTAL is 0 the command has no shards (a merge).
# Slurm runs a copy of this file from a folder of its own, so everything it needs is among its arguments.
set -euo pipefail

first=$1 total=$2 cli=$3
shift 3
if [ "$total" -gt 0 ]; then
  # SLURM_ARRAY_* alone would count from 0 again in each of several arrays: the sweep says which shard this is.
  set -- "$@" --shard "$((first + SLURM_ARRAY_TASK_ID))/$total"
fi
printf '%s: job %s, start %s, on %s\n' "${SLURM_JOB_NAME:-task}" "${SLURM_ARRAY_JOB_ID:-${SLURM_JOB_ID:-none}}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}" \
  "$((${SLURM_RESTART_COUNT:-0} + 1))" "$(hostname)" >&2
# Not a child: what Slurm sends to end or requeue the job goes to the worker itself.
exec node "$cli" "$@"
