#!/bin/bash
# Makes the bundled pair and the wire that the demo starts from, on one GPU in about ten minutes:
#   1  pretrains both readers side by side (PRETRAIN minutes), while CPU cores tokenise the questions of phase 2
#   2  trains three wires for them side by side (WIRE minutes), each for 4x and 8x, and scores them on held-out people
#   3  packs each wire's weights (pack-wire.mjs) and rehearses the demo from them on two pinned cores (DEMO minutes)
#   GPU=0 OUT=dir bash bench/demo-recipes/make-pair.sh
# The work goes on when this command ends (after WAIT seconds at the latest); the same command again waits for the rest and
# packs everything. What is done is not done again. A dry run without a GPU:
#   DEVICE=cpu PRETRAIN=0.1 WIRE=0.1 DEMO=0.1 CONTEXTS=4 SAMPLES=400 EVAL=8 BATCH=8 WORK=/tmp/dry bash bench/demo-recipes/make-pair.sh
set -u
HERE=$(cd "$(dirname "$0")" && pwd)
export WORK=${WORK:-/tmp/latentwire-pair}
OUT=${OUT:-$WORK/out}
LW="node $HERE/../../packages/latentwire/dist/cli/main.js"
LOGS=$WORK/logs
export OMP_NUM_THREADS=1 CUDA_VISIBLE_DEVICES=${GPU:-0}
mkdir -p "$OUT" "$LOGS"

DEVICE=${DEVICE:-cuda}
EVAL=${EVAL:-1000}
BATCH=${BATCH:-128}
SAMPLES=${SAMPLES:-240000}
WIRES="main both-ways wide"
FACTS="--dataset facts --facts-questions attribute --facts-people 2 --facts-each 2 --facts-style prose --questions-together"
SHAPE="--adapter-hidden 256 --disable-calibration --latent-ratio 9 --train-expansions 1,2 --wire-bits 4 --wire-group 0"
ANSWERS="--disable-kd --reconstruction-weight 0"
EIGHT=text,token_budget,random_projection,no_context,latent,shuffled
FOUR=token_budget,random_projection,latent,shuffled
# Of each wire alone: what shapes it, and how it trains.
shape_of() {
  case $1 in
    main) echo --d-z 32 ;;
    both-ways) echo --d-z 32 --encoder-non-causal ;;
    wide) echo --d-z 64 ;;
  esac
}
training_of() {
  case $1 in
    wide) echo --batch-size $((2 * BATCH)) --lr 2.5e-3 --encoder-lr 1e-3 ;;
    *) echo --batch-size "$BATCH" --lr 2e-3 --encoder-lr 1e-3 --num-workers 2 ;;
  esac
}
models() { echo --model "$1/tiny-llama" --model "$1/tiny-qwen2" --encoder-id "$1/tiny-llama"; }

pretrain() { # design, lr
  [ -f "$WORK/models/$1/pretraining.json" ] && return
  rm -rf "$WORK/models/$1"
  $LW pretrain --model "$1" --out "$WORK/models/$1" --seed 0 --steps 200000 --max-minutes "${PRETRAIN:-2.8}" \
    --contexts "${CONTEXTS:-128}" --questions 6 --lr "$2" --style prose --noise 1 --workers 4 --eval-questions "$EVAL" \
    --device "$DEVICE" > "$LOGS/pretrain-$1.log" 2>&1
}
# Models of one step have the tokenizers of the trained ones: their questions are in the token cache afterwards.
tokenise() {
  [ -f "$WORK/tokenised" ] && return
  rm -rf "$WORK/untrained"
  for design in tiny-llama tiny-qwen2; do
    $LW pretrain --model $design --out "$WORK/untrained/$design" --steps 1 --contexts 1 --style prose --eval-questions 1 --device cpu &
  done
  wait
  $LW train $(models "$WORK/untrained") $FACTS $SHAPE $ANSWERS --samples "$SAMPLES" --max-steps 1 --batch-size 4 --device cpu \
    --eval-samples "$EVAL" --eval-modes latent --max-new-tokens 1 --save-dir "$WORK/runs/tokenise" --restart && touch "$WORK/tokenised"
}
wire() { # name
  local name=$1 run=$WORK/runs/$1
  if [ ! -f "$run.trained" ]; then
    $LW train $(models "$WORK/models") $FACTS $SHAPE $(shape_of "$name") $ANSWERS $(training_of "$name") --samples "$SAMPLES" \
      --epochs 1000 --max-steps 60000 --max-minutes "${WIRE:-5.2}" --warmup-ratio 0.02 --eval-samples "$EVAL" --eval-batch-size 200 \
      --max-new-tokens 12 --eval-modes $EIGHT --device "$DEVICE" --save-dir "$run" --restart && touch "$run.trained"
    keep "$name" 8x
  fi
  $LW eval --save-dir "$run" --eval-expansion 2 --eval-modes $FOUR && keep "$name" 4x
  mkdir -p "$WORK/wires/$name"
  node "$HERE/pack-wire.mjs" "$run" "$WORK/wires/$name"
}
keep() { # run, what was measured
  cp "$WORK/runs/$1/logs/metrics.json" "$LOGS/$1-$2-metrics.json"
  awk 'NR % 50 == 1' "$WORK/runs/$1/logs/diagnostics.jsonl" > "$LOGS/$1-steps.jsonl"
}
# The demo on two cores: from a wire with a careful and a brisk rate, and from nothing.
core=${CORE:-0}
rehearse() { # name, wire ('' for none), flags
  local name=$1 from=$2 first=$((core % $(nproc)))
  shift 2
  OMP_NUM_THREADS=2 taskset -c "$first,$(((first + 1) % $(nproc)))" bash -c 'time "$@"' rehearsal \
    $LW train $(models "$WORK/models") $FACTS $SHAPE ${from:+$(shape_of "$from") --init-from "$WORK/wires/$from/wire.safetensors"} $ANSWERS \
    --facts-seed 1 --samples "${DEMO_SAMPLES:-20000}" --epochs 1000 --max-steps 60000 --max-minutes "${DEMO:-1.2}" --batch-size 32 \
    --decoders-per-step one --warmup-ratio 0.05 --eval-samples "${DEMO_EVAL:-200}" --eval-batch-size 100 --max-new-tokens 12 \
    --eval-modes $EIGHT --device cpu --save-dir "$WORK/runs/demo-$name" --restart "$@" > "$LOGS/demo-$name.log" 2>&1
  keep "demo-$name" 8x
}
work() {
  tokenise > "$LOGS/tokenise.log" 2>&1 &
  pretrain tiny-llama 2e-3 &
  pretrain tiny-qwen2 1.2e-3 &
  wait
  for name in $WIRES; do wire "$name" > "$LOGS/wire-$name.log" 2>&1 & done
  wait
  if [ ! -f "$WORK/rehearsed" ]; then
    for name in $WIRES; do
      rehearse "$name-careful" "$name" --lr 2e-4 --encoder-lr 5e-5 & core=$((core + 2))
      rehearse "$name-brisk" "$name" --lr 1e-3 --encoder-lr 3e-4 & core=$((core + 2))
    done
    rehearse scratch '' --d-z 32 --lr 2e-3 --encoder-lr 1e-3 &
    wait
    touch "$WORK/rehearsed"
  fi
  touch "$WORK/finished"
}

if [ "${1:-}" = work ]; then
  work
  exit
fi
if [ ! -f "$WORK/finished" ] && ! { [ -f "$WORK/pid" ] && kill -0 "$(cat "$WORK/pid")" 2>/dev/null; }; then
  DEVICE=$DEVICE EVAL=$EVAL BATCH=$BATCH SAMPLES=$SAMPLES setsid nohup bash "$0" work > "$LOGS/work.log" 2>&1 < /dev/null &
  echo $! > "$WORK/pid"
fi
began=$SECONDS
while [ ! -f "$WORK/finished" ] && [ $((SECONDS - began)) -lt "${WAIT:-550}" ] && kill -0 "$(cat "$WORK/pid")" 2>/dev/null; do sleep 1; done
[ -f "$WORK/finished" ] && echo finished || echo 'not finished yet: give the same command again'
for design in tiny-llama tiny-qwen2; do
  echo "== pretrain $design"
  grep -E "steps in|context|by way|rror|hint" "$LOGS/pretrain-$design.log" 2>/dev/null
  grep -A5 f1ByKind "$WORK/models/$design/pretraining.json" 2>/dev/null | head -6
done
for log in "$LOGS"/wire-*.log "$LOGS"/demo-*.log; do
  [ -f "$log" ] || continue
  echo "== $(basename "$log" .log)"
  grep -vE "^step|loaded model|checkpoint|schedule" "$log"
  grep -E "^step" "$log" | tail -1
done
(cd "$WORK" && for part in models wires; do tar czf "$OUT/pair-$part.tgz" $part 2>/dev/null; done; tar czf "$OUT/pair-logs.tgz" logs)
ls -l "$OUT"
