#!/bin/bash
# The long arm on GPU 0 and the four cells of experiments/core-smollm2.yaml on GPU 2, in the background:
#   four-gpus.sh start MODELS    starts both and waits up to $WAIT seconds (540); scoring of the arm follows by itself, on $GPUS (0,1,2,3)
#   four-gpus.sh finish          waits up to $WAIT seconds (165) and packs into $OUT what is there
# MODELS: folder with smollm2-135m.gguf, gemma-3-270m.gguf, train-v1.1.json.gz and dev-v1.1.json.gz.
set -u
RUNS=${RUNS:-/tmp/shared-wire}
CORE=${CORE:-/tmp/core-smollm2}
GPUS=${GPUS:-0,1,2,3}
OUT=${OUT:-/tmp/out}

# Waits for both, $1 seconds at most.
wait_for() {
  local end=$((SECONDS + $1))
  until [ -e "$RUNS/scored" ] && [ -e "$CORE.done" ]; do
    [ $SECONDS -ge $end ] && return
    sleep 2
  done
}

score() {
  node bench/shared-wire/score.mjs --runs "$RUNS" --gpus "$GPUS" --questions 2000 --minutes 2.6 --out '' >> "$RUNS/results/score.log" 2>&1
  touch "$RUNS/scored"
}

case $1 in
  start)
    models=$(cd "$2" && pwd)
    mkdir -p "$RUNS/results"
    ln -sfn "$models" models
    export RUNS GPUS
    setsid nohup bash "$0" main "$models" > "$RUNS/main.out" 2>&1 &
    echo $! > "$RUNS/main.pid"
    setsid nohup bash -c "node packages/latentwire/dist/cli/main.js run experiments/core-smollm2.yaml --gpus 2 --experiment-dir $CORE \
      --set data.train_file=$models/train-v1.1.json.gz --set data.dev_file=$models/dev-v1.1.json.gz; touch $CORE.done" > "$CORE.log" 2>&1 &
    wait_for "${WAIT:-540}"
    tail -n 3 "$RUNS/results/main.log" "$CORE.log"
    nvidia-smi --query-gpu=index,utilization.gpu,memory.used --format=csv,noheader
    ;;
  main)
    CUDA_VISIBLE_DEVICES=0 node bench/shared-wire/run.mjs --set final --arms main --runs "$RUNS" --wait 12 --out '' \
      --models "smollm2=$2/smollm2-135m.gguf,gemma3=$2/gemma-3-270m.gguf" \
      --train "$2/train-v1.1.json.gz" --dev "$2/dev-v1.1.json.gz"
    score
    ;;
  finish)
    # Where nothing outlives a call, what is left is scored here.
    kill -0 "$(cat "$RUNS/main.pid")" 2> /dev/null || [ -e "$RUNS/scored" ] || score
    wait_for "${WAIT:-165}"
    mkdir -p "$OUT"
    tar czf "$OUT/shared-wire.tgz" -C "$RUNS" results
    tar czf "$OUT/core-smollm2.tgz" --exclude='*.safetensors' --exclude=tensorboard -C "$(dirname "$CORE")" "$(basename "$CORE")" "$(basename "$CORE").log"
    cat "$RUNS/results/score.log"
    tail -n 12 "$CORE.log"
    ls -la "$OUT"
    ;;
esac
