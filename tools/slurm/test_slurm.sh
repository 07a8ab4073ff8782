# shellcheck shell=bash
# Part of test_cluster.sh: a Slurm of two nodes on loopback, and what happens to a sweep on it.
# shellcheck disable=SC2154 # scratch, here, questions, few, some and many are test_cluster.sh's

pid_files() { printf '%s\n' "$scratch"/slurm/*.pid; }

start_slurmd() { slurmd -f "$SLURM_CONF" -N "$1"; }

start_slurm() {
  need slurmctld slurm-wlm
  need munged munge
  local home=$scratch/slurm host user ports
  mkdir -p "$home/state" "$home/n1" "$home/n2"
  host=$(hostname -s)
  user=$(id -un)
  # Ports nobody listens on: another Slurm on this machine is not disturbed.
  ports=$(node -e '
    const open = [1, 2, 3].map(() => require("node:net").createServer().listen(0, "127.0.0.1"));
    setTimeout(() => { console.log(open.map((one) => one.address().port).join(" ")); open.forEach((one) => one.close()); }, 50);')
  read -r ctld_port n1_port n2_port <<<"$ports"
  export SLURM_CONF=$home/slurm.conf
  cat >"$SLURM_CONF" <<CONF
ClusterName=molmoe_test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$ctld_port
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$home/munge.socket
CredType=cred/munge
StateSaveLocation=$home/state
SlurmdSpoolDir=$home/%n
SlurmctldPidFile=$home/slurmctld.pid
SlurmdPidFile=$home/slurmd_%n.pid
SlurmctldLogFile=$home/slurmctld.log
SlurmdLogFile=$home/slurmd_%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
ReturnToService=2
SchedulerParameters=batch_sched_delay=1,sched_interval=5
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
KillWait=3
SlurmdTimeout=20
MinJobAge=3600
MaxArraySize=6
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$n1_port CPUs=2
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$n2_port CPUs=2
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP LLN=YES
CONF
  # A key of its own: the machine's own munge, if there is one, is left alone.
  (umask 077 && head -c 128 /dev/urandom >"$home/munge.key")
  chmod 755 "$scratch" "$home"
  munged --force --socket="$home/munge.socket" --key-file="$home/munge.key" --pid-file="$home/munged.pid" \
    --log-file="$home/munged.log" --seed-file="$home/munge.seed" >"$home/munged.out" 2>&1 ||
    fail "munged: expected it to start, found $(tail -n 1 "$home/munged.out")"
  slurmctld -f "$SLURM_CONF"
  start_slurmd n1
  start_slurmd n2
  local end=$((SECONDS + 60))
  until [ "$(sinfo -h -N -t idle -o %N 2>/dev/null | sort -u | wc -l)" -eq 2 ]; do
    [ "$SECONDS" -lt "$end" ] || fail "Slurm: expected two idle nodes within a minute, found $(sinfo -h -N -o '%N %T' 2>&1 | tr '\n' ' ')"
    sleep 0.5
  done
}

# By its pid files, jobs first: a daemon that is gone ends none.
stop_slurm() {
  local file pid end=$((SECONDS + 20))
  if [ -n "$(squeue -h -o %i 2>/dev/null)" ]; then
    [ -e "$scratch/slurm/down" ] && start_slurmd n2
    scancel --user="$(id -un)" 2>/dev/null
    while [ "$SECONDS" -lt "$end" ] && [ -n "$(squeue -h -o %i 2>/dev/null)" ]; do sleep 0.5; done
  fi
  for file in $(pid_files); do
    pid=$(cat "$file" 2>/dev/null) || continue
    kill "$pid" 2>/dev/null
    while [ "$SECONDS" -lt "$end" ] && kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    kill -9 "$pid" 2>/dev/null
  done
  # A step whose daemon was down while it was cancelled lives on; its environment names this cluster's settings.
  for file in /proc/[0-9]*/environ; do
    pid=${file#/proc/} pid=${pid%/environ}
    if [ "$pid" != $$ ] && [ "$pid" != "$BASHPID" ] && grep -qz "^SLURM_CONF=$SLURM_CONF\$" "$file" 2>/dev/null; then
      kill -9 "$pid" 2>/dev/null
    fi
  done
}

state_of() { scontrol -o show job "$1" 2>/dev/null | tr ' ' '\n' | sed -n 's/^JobState=//p' | sort | uniq -c | awk '{ printf "%s%s %s", sep, $1, $2; sep = ", " }'; }

is_state() { # JOB STATE
  [ "$(state_of "$1")" = "$2" ] || {
    state_of "$1"
    echo
    return 1
  }
}

running() { squeue -h -r -t running -j "$1" -o '%K %N' 2>/dev/null; } # of an array: place and node

wait_for_end() { # SECONDS JOBS...: none of them is queued or runs any more
  local end=$((SECONDS + $1))
  shift
  while [ -n "$(squeue -h -j "$(IFS=,; echo "$*")" -o %i 2>/dev/null)" ]; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.5
  done
}

jobs_of() { sed -n 's/^job \([0-9]*\):.*/\1/p' "$1"; }

sweep() { # LOG SWEEP'S ARGUMENTS...
  local log=$1
  shift
  "$here/sweep.sh" "$@" >"$log" 2>&1 || fail "sweep.sh: expected it to submit, found $(tail -n 1 "$log")"
}

# A six-shard array, two at a time. One task is requeued while it answers, of another the node's daemon dies and comes
# back, and at last the node is lost with all that runs on it.
test_disturbed_array() {
  local out=$scratch/array array merge most=0 now requeued='' restarted='' lost='' place node end=$((SECONDS + 560))
  single "$many"
  sweep "$scratch/array.log" --shards 6 --at-once 2 -- "${questions[@]}" --num-samples "$many" --out "$out"
  read -r array merge < <(jobs_of "$scratch/array.log" | tr '\n' ' '; echo)
  while [ -n "$(squeue -h -j "$array,$merge" -o %i 2>/dev/null)" ] && [ "$SECONDS" -lt "$end" ]; do
    now=$(running "$array" | wc -l)
    [ "$now" -le "$most" ] || most=$now
    while read -r place node; do
      [ "$(answers_of "$out" "$place-of-6")" -gt 0 ] || continue
      if [ -z "$requeued" ]; then
        scontrol requeue "${array}_$place" && requeued=$place
        say "task $place requeued after $(answers_of "$out" "$place-of-6") answers"
      elif [ -z "$restarted" ] && [ "$place" != "$requeued" ] && [ "$node" = n2 ]; then
        restarted=$place
        touch "$scratch/slurm/down"
        kill -9 "$(cat "$scratch/slurm/slurmd_n2.pid")"
        say "daemon of n2 killed while task $place answers on it; back after 3 s"
        sleep 3
        start_slurmd n2
        rm "$scratch/slurm/down"
      elif [ -z "$lost" ] && [ -n "$restarted" ] && [ "$place" != "$restarted" ] && [ "$place" != "$requeued" ] && [ "$node" = n2 ]; then
        lost=$place
        lose_n2 "${array}_$place"
        say "n2 lost with task $place after $(answers_of "$out" "$place-of-6") answers"
      fi
    done < <(running "$array")
    sleep 0.3
  done
  check 'array: never more than two of six tasks at a time, and two' [ "$most" -eq 2 ]
  check 'array: all six tasks ended well' is_state "$array" '6 COMPLETED'
  check 'array: then the merge ran by itself' is_state "$merge" '1 COMPLETED'
  check 'array: the requeued task was started twice' was_started "$out" "$array" "$requeued" 2
  check 'array: it went on where it had stopped' is_continued "$out" "$requeued-of-6"
  check 'array: the task whose node lost its daemon was started once' was_started "$out" "$array" "$restarted" 1
  check 'array: the task whose node was lost was started twice' was_started "$out" "$array" "$lost" 2
  check 'array: it went on where it had stopped' is_continued "$out" "$lost-of-6"
  check 'array: merged is, byte for byte, what a single process gives' same "$out" "$scratch/single_$many"
  start_slurmd n2
  rm "$scratch/slurm/down"
}

# All at once, so that nobody is left to tell the controller how the task ended.
lose_n2() { # TASK
  local job step
  job=$(scontrol -o show job "$1" | tr ' ' '\n' | sed -n 's/^JobId=//p')
  step=$(ps -eo pid,args | awk -v job="[$job.batch]" '$2 == "slurmstepd:" && $3 == job { print $1 }')
  touch "$scratch/slurm/down"
  # shellcheck disable=SC2046 # one word a process
  kill -9 "$(cat "$scratch/slurm/slurmd_n2.pid")" "$step" $(ps -o pid= --ppid "$step")
}

was_started() { # FOLDER ARRAY PLACE TIMES: by its log, which a second start appends to
  [ "$(grep -c ', start [0-9]*, on' "$1/slurm/$2_$3.log")" = "$4" ]
}

# Its worker began twice, and no question has two answers.
is_continued() { # FOLDER SHARD
  local lines
  lines=$(cat "$1/answers/1/workers/$2"*/answers.jsonl)
  [ "$(grep -c '"molmoe.answers/1"' <<<"$lines")" -ge 2 ] &&
    [ -z "$(grep '"answer":' <<<"$lines" | sed 's/.*"configuration":"\([^"]*\)".*"sample":"\([^"]*\)".*/\1 \2/' | sort | uniq -d)" ]
}

# Eight shards where an array may have six: two arrays that share no shard.
test_split_array() {
  local out=$scratch/split jobs
  single "$some"
  sweep "$scratch/split.log" --shards 8 --at-once 3 -- "${questions[@]}" --num-samples "$some" --out "$out"
  read -r -a jobs < <(jobs_of "$scratch/split.log" | tr '\n' ' '; echo)
  check 'split: eight shards are two arrays and a merge' [ "${#jobs[@]}" -eq 3 ]
  check 'split: all ended' wait_for_end 240 "${jobs[@]}"
  check 'split: each of the eight shards once' workers_are "$out" {0..7}-of-8
  check 'split: merged is, byte for byte, what a single process gives' same "$out" "$scratch/single_$some"
}

# Each round asks what the answers of the one before call for, so its workers must not begin too early.
test_rounds() {
  local out=$scratch/rounds single=$scratch/single_rounds jobs
  local questions=(sensitivity --model nano --dataset shapes --num-samples 4 --min-layers 6 --beam-width 1)
  run_to "$single.log" molmoe "${questions[@]}" --out "$single" --shard 0/1 || fail "the single process: expected it to end well, found it did not"
  sweep "$scratch/rounds.log" --shards 2 --rounds "$(find "$single/answers" -mindepth 1 -maxdepth 1 | wc -l)" -- "${questions[@]}" --out "$out"
  read -r -a jobs < <(jobs_of "$scratch/rounds.log" | tr '\n' ' '; echo)
  check 'rounds: all ended' wait_for_end 360 "${jobs[@]}"
  check 'rounds: the merge behind the last ended well' is_state "${jobs[${#jobs[@]} - 1]}" '1 COMPLETED'
  check 'rounds: merged is, byte for byte, what a single process gives' same "$out" "$single"
}

# A task that fails for good: the merge behind it must not begin.
test_failing_array() {
  local jobs
  sweep "$scratch/failing.log" --shards 2 -- "${questions[@]}" --num-samples none --out "$scratch/failing"
  read -r -a jobs < <(jobs_of "$scratch/failing.log" | tr '\n' ' '; echo)
  check 'failing: all ended' wait_for_end 120 "${jobs[@]}"
  check 'failing: both tasks failed' is_state "${jobs[0]}" '2 FAILED'
  check 'failing: the merge was cancelled' is_state "${jobs[1]}" '1 CANCELLED'
}

test_srun() {
  local out=$scratch/srun
  single "$few"
  check 'srun -n 2: both tasks ended well' run_to "$scratch/srun.log" \
    srun -n 2 node "$MOLMOE_CLI" "${questions[@]}" --num-samples "$few" --out "$out"
  check 'srun -n 2: each answered its shard' workers_are "$out" 0-of-2 1-of-2
  check 'srun -n 2: merge is complete' merged "$out"
  check 'srun -n 2: merged is, byte for byte, what a single process gives' same "$out" "$scratch/single_$few"
}

test_slurm() {
  start_slurm
  test_disturbed_array
  test_split_array
  test_rounds
  test_failing_array
  test_srun
}
