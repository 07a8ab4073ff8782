#!/usr/bin/env bash
# Many workers of one accuracy experiment as Slurm job arrays, and a merge behind them. sweep.sh --help tells how.
set -euo pipefail

usage() {
  cat <<'HELP'
usage: tools/slurm/sweep.sh --shards N [options] -- EXPERIMENT [its options] --out DIR

Submits N workers of one command of molmoe as a Slurm job array, and a merge of their answers behind it.
All nodes must see DIR, this checkout and node under the same paths.

  --shards N        parts to cut the work into, a task each
  --at-once M       at most M of them at a time (otherwise as many as Slurm allows)
  --rounds R        submit the workers R times, each time after the one before: an experiment that chooses
                    what to ask next by what was answered (sensitivity) needs a round for each choice
  --no-merge        submit no merge
  --dry-run         print what would be submitted
  --NAME=VALUE      any other option is sbatch's: --partition=gpu --gres=gpu:1 --time=2:00:00 --mem=8G.
                    The merge gets them too, but for those that ask for GPUs: it needs none.

An array that is larger than Slurm's MaxArraySize is submitted as several, one after the other where --at-once is
given, so that together they keep to it. Each task is told its shard; no two have the same.
Tasks are requeued when their node fails, go on where they stopped, and append to their logs in DIR/slurm.
If a task fails for good the merge is cancelled: the same line again does what is left.

  tools/slurm/sweep.sh --shards 24 --at-once 8 --partition=gpu --gres=gpu:1 --time=2:00:00 -- \
    exp2_accuracy --dataset coco_2014_vqa --timed 0 --out results/topk
HELP
}

usage_error() {
  printf 'sweep.sh: %s\n' "$1" >&2
  exit 2
}

fail() {
  printf 'sweep.sh: %s\n' "$1" >&2
  exit 1
}

whole() { # NAME VALUE MOST
  if ! [[ $2 =~ ^[1-9][0-9]{0,6}$ ]] || [ "$2" -gt "$3" ]; then
    usage_error "$1: expected a whole number from 1 to $3, found ${2:-nothing}; see --help"
  fi
}

shards='' at_once='' rounds=1 merge=yes dry='' options=()
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h)
      usage
      exit 0
      ;;
    --shards | --at-once | --rounds)
      [ $# -ge 2 ] || usage_error "$1: expected a number behind it, found none; see --help"
      case $1 in
        --shards) shards=$2 ;;
        --at-once) at_once=$2 ;;
        --rounds) rounds=$2 ;;
      esac
      shift
      ;;
    --shards=*) shards=${1#*=} ;;
    --at-once=*) at_once=${1#*=} ;;
    --rounds=*) rounds=${1#*=} ;;
    --no-merge) merge='' ;;
    --dry-run) dry=yes ;;
    --)
      shift
      break
      ;;
    --array* | --dependency* | --output* | --error* | --open-mode* | --chdir* | --job-name* | --wrap* | --parsable)
      usage_error "${1%%=*}: expected an option that the sweep does not set itself, found it; leave it out"
      ;;
    --*) options+=("$1") ;;
    *) usage_error "expected --shards N, sbatch's options as --NAME=VALUE, then -- and the command; found $1; see --help" ;;
  esac
  shift
done

whole --shards "$shards" 1000000
[ -z "$at_once" ] || whole --at-once "$at_once" 1000000
whole --rounds "$rounds" 100

[ $# -gt 0 ] || usage_error 'expected -- and a command behind it, as -- exp2_accuracy --out DIR; found none; see --help'
experiment=$1 out='' before=''
for word in "$@"; do
  case $word in
    --shard | --shard=*) usage_error '--shard: expected a command without it, since each task has its own; found it; leave it out' ;;
    --out=*) out=${word#--out=} ;;
    *) [ "$before" != --out ] || out=$word ;;
  esac
  before=$word
done
[ -n "$out" ] || usage_error "$experiment: expected --out DIR, a folder that all nodes see; found none; name one"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Another program in its place is a matter of this project's own tests.
cli=${MOLMOE_CLI:-$(cd "$here/../.." && pwd)/dist/cli.js}
[ -f "$cli" ] || fail "$cli: expected the built command line, found none; run npm run build in the project's folder"

# The largest place in an array is one less than MaxArraySize, the smallest is 0.
if most=$(scontrol show config 2>/dev/null | awk '$1 == "MaxArraySize" { print $3 }') && [[ $most =~ ^[0-9]+$ ]]; then
  [ "$most" -gt 1 ] || fail "MaxArraySize: expected a Slurm that allows job arrays, found $most; ask who runs it, or use another launcher"
elif [ -n "$dry" ]; then
  most=1001
else
  fail 'scontrol show config: expected the settings of a Slurm cluster, found none; run this where sbatch works'
fi

for_merge=()
for option in ${options[@]+"${options[@]}"}; do
  case $option in
    --gres=* | --gpu*=* | --tres-*=*) ;;
    *) for_merge+=("$option") ;;
  esac
done

logs=$out/slurm
log_name=${logs//%/%%} # Slurm reads % in names of logs
[ -n "$dry" ] || mkdir -p "$logs" || fail "$logs: expected a folder that can be written, found none; choose another --out"

job='' jobs=() submitted=()
submit() { # sbatch's arguments; the job's number is in $job
  if [ -n "$dry" ]; then
    printf 'sbatch'
    printf ' %q' "$@"
    printf '\n'
    job=JOB$((${#submitted[@]} + 1))
  else
    local gone=''
    [ ${#submitted[@]} -eq 0 ] || gone="; submitted before it: ${submitted[*]} (scancel ends them; the same line again does what is left)"
    job=$(sbatch --parsable "$@") || fail "sbatch: expected a job's number, found it refused$gone"
    job=${job%%;*} # behind it may stand the cluster's name
  fi
  submitted+=("$job")
}

joined() { # of a kind of dependency, all these jobs
  local IFS=:
  printf '%s' "$*"
}

say() { [ -n "$dry" ] || printf '%s\n' "$1"; }

before_all='' # what the jobs of a round wait for
for ((round = 1; round <= rounds; round++)); do
  jobs=()
  for ((first = 0; first < shards; first += most)); do
    count=$((shards - first < most ? shards - first : most))
    wait_for=$before_all
    # Arrays know nothing of each other's throttle. Whatever became of the one before: its work is not this one's.
    if [ -n "$at_once" ] && [ "$first" -gt 0 ]; then wait_for=${wait_for:+$wait_for,}afterany:$job; fi
    submit --job-name="$experiment" --array="0-$((count - 1))${at_once:+%$at_once}" --requeue --open-mode=append \
      --output="$log_name/%A_%a.log" ${wait_for:+"--dependency=$wait_for" --kill-on-invalid-dep=yes} \
      ${options[@]+"${options[@]}"} "$here/task.sh" "$first" "$shards" "$cli" "$@"
    jobs+=("$job")
    say "job $job: shards $first to $((first + count - 1)) of $shards${at_once:+, at most $at_once at a time}${wait_for:+, waits for $wait_for}"
  done
  # All must have succeeded. With afterany it would begin although some failed, only to find their answers missing; a
  # next round would choose by half of the answers.
  before_all=afterok:$(joined "${jobs[@]}")
done

if [ -n "$merge" ]; then
  submit --job-name=merge --requeue --open-mode=append --output="$log_name/merge_%j.log" \
    "--dependency=$before_all" --kill-on-invalid-dep=yes ${for_merge[@]+"${for_merge[@]}"} \
    "$here/task.sh" 0 0 "$cli" merge "$out"
  say "job $job: merge, waits for $before_all"
fi
say "logs: $logs; squeue shows them, scancel ${submitted[*]} ends them; the same line again does what is left"
