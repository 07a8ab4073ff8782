#!/usr/bin/env bash
# Accuracy experiments on more than one worker, run for real on this machine. test_cluster.sh --help tells how.
set -euo pipefail

usage() {
  cat <<'HELP'
usage: tools/slurm/test_cluster.sh [--install] [slurm] [mpirun] [parallel]

Answers the same questions with one process and with many, and compares the merged results byte for byte.
slurm starts a Slurm of its own (munged, slurmctld, two slurmd on loopback, own folders, free ports) and ends it;
about seven minutes. mpirun and parallel take half a minute each. None named: all of them.

  --install   apt-get install what is missing (as root)

Prints a line a check; exit 1 where one failed, and then the folder with all logs is kept and named.
HELP
}

install='' parts=()
for word in "$@"; do
  case $word in
    --help | -h)
      usage
      exit 0
      ;;
    --install) install=yes ;;
    slurm | mpirun | parallel) parts+=("$word") ;;
    *)
      printf 'test_cluster.sh: expected slurm, mpirun, parallel or --install, found %s; see --help\n' "$word" >&2
      exit 2
      ;;
  esac
done
[ ${#parts[@]} -gt 0 ] || parts=(slurm mpirun parallel)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export MOLMOE_CLI=${MOLMOE_CLI:-$(cd "$here/../.." && pwd)/dist/cli.js}
PATH=$PATH:/usr/sbin:/sbin # where Debian keeps daemons

fail() {
  printf 'test_cluster.sh: %s\n' "$1" >&2
  exit 1
}

[ -f "$MOLMOE_CLI" ] || fail "$MOLMOE_CLI: expected the built command line, found none; run npm run build"

need() { # PROGRAM PACKAGE
  command -v "$1" >/dev/null && return
  if [ -n "$install" ]; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$2" >"$scratch/apt_$2.log" 2>&1 ||
      fail "$2: expected apt-get to install it, found that it cannot ($(tail -n 1 "$scratch/apt_$2.log")); install it by hand"
  else
    fail "$1: expected it on this machine, found none; apt-get install $2, or --install"
  fi
}

# Whoever runs this may be a job or a rank: what that says is not meant for the workers here.
for name in $(compgen -e | grep -E '^(SLURM|SBATCH|SRUN|OMPI|PMIX?|MPI)_|^(RANK|WORLD_SIZE|LOCAL_RANK|JOB_COMPLETION)' || true); do
  unset "$name"
done

scratch=$(mktemp -d "${TMPDIR:-/tmp}/molmoe_cluster.XXXXXX")
exec 3>&2 # an interrupt may come while a command's words go to its log
failed=0
finish() {
  local code=$?
  trap - EXIT
  trap '' INT TERM HUP
  set +e
  [ -z "${SLURM_CONF:-}" ] || stop_slurm
  if [ "$failed" -eq 0 ] && [ "$code" -eq 0 ]; then
    rm -rf "$scratch"
  else
    printf 'logs and results: %s\n' "$scratch" >&3
    [ "$code" -ne 0 ] || code=1
  fi
  exit "$code"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

check() { # WHAT COMMAND...
  local what=$1
  shift
  if "$@"; then
    printf 'ok    %s\n' "$what"
  else
    printf 'FAIL  %s\n' "$what"
    failed=$((failed + 1))
  fi
}

say() { printf '      %s\n' "$1"; }

# Without timed samples: times differ from run to run, so only then can results be the same bytes. In small batches, so
# that a worker that is disturbed has answered some of its shard and not all.
questions=(exp2_accuracy --model nano --dataset shapes --timed 0 --top-k '1,8' --batch-size 8 --fixed-batch)
few=8
some=40
many=${MOLMOE_CLUSTER_SAMPLES:-240}

molmoe() { node "$MOLMOE_CLI" "$@"; }

single() { # SAMPLES: one process answers them all, once
  local out=$scratch/single_$1
  [ -d "$out" ] && return
  molmoe "${questions[@]}" --num-samples "$1" --out "$out" --shard 0/1 >"$out.log" 2>&1 ||
    fail "the single process: expected it to end well, found $(tail -n 1 "$out.log")"
}

same() { # FOLDER SINGLE'S FOLDER: of every round the summary is the same to the byte, and so is every answer
  local round
  [ "$(ls "$1/answers")" = "$(ls "$2/answers")" ] || return 1
  for round in "$2"/answers/*; do
    round=answers/${round##*/}
    cmp "$1/$round/summary.json" "$2/$round/summary.json" || return 1
    cmp <(answer_lines "$1/$round/merged.jsonl") <(answer_lines "$2/$round/merged.jsonl") || return 1
  done
}

# Without what the first sample of each configuration tells of the worker's GPU memory: it goes by what ran before.
answer_lines() { sed 's/"counted":{.*},"finish":/"finish":/' "$1"; }

merged() { # FOLDER
  molmoe merge "$1" >"$1/merge.log" 2>&1 || {
    tail -n 1 "$1/merge.log"
    return 1
  }
}

workers() { # FOLDER: which wrote there, and how many answers each has
  local file
  for file in "$1"/answers/1/workers/*/answers.jsonl; do
    printf '%s %s\n' "$(basename "$(dirname "$file")")" "$(grep -c '"answer":' "$file")"
  done
}

workers_are() { # FOLDER NAMES...
  local folder=$1
  shift
  [ "$(workers "$folder" | cut -d ' ' -f 1)" = "$(printf '%s\n' "$@")" ] || {
    workers "$folder"
    return 1
  }
}

answers_of() { # FOLDER SHARD: lines, 0 where there are none yet
  { cat "$1/answers/1/workers/$2"*/answers.jsonl 2>/dev/null || true; } | grep -c '"answer":' || true
}

run_to() { # LOG COMMAND...
  local log=$1
  shift
  "$@" >"$log" 2>&1 || {
    tail -n 3 "$log"
    return 1
  }
}

test_mpirun() {
  need mpirun openmpi-bin
  single "$few"
  local out=$scratch/mpirun root=()
  [ "$(id -u)" -ne 0 ] || root=(--allow-run-as-root)
  check 'mpirun -n 2: both ranks ended well' run_to "$scratch/mpirun.log" \
    mpirun "${root[@]}" --oversubscribe -n 2 node "$MOLMOE_CLI" "${questions[@]}" --num-samples "$few" --out "$out"
  check 'mpirun -n 2: each rank answered its shard' workers_are "$out" 0-of-2 1-of-2
  check 'mpirun -n 2: merge is complete' merged "$out"
  check 'mpirun -n 2: merged is, byte for byte, what a single process gives' same "$out" "$scratch/single_$few"
}

test_parallel() {
  need parallel parallel
  single "$few"
  local out=$scratch/parallel
  check 'GNU parallel: three shards, two at a time, ended well' run_to "$scratch/parallel.log" \
    parallel --will-cite -j 2 node "$MOLMOE_CLI" "${questions[@]}" --num-samples "$few" --out "$out" --shard '{}/3' ::: 0 1 2
  check 'GNU parallel: merge is complete' merged "$out"
  check 'GNU parallel: merged is, byte for byte, what a single process gives' same "$out" "$scratch/single_$few"
}

# shellcheck source=tools/slurm/test_slurm.sh
. "$here/test_slurm.sh"

for part in "${parts[@]}"; do "test_$part"; done
if [ "$failed" -gt 0 ]; then printf '%s checks failed\n' "$failed"; else printf 'all checks passed\n'; fi
