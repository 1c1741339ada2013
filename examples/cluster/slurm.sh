#!/usr/bin/env bash
# A Ray cluster inside one Slurm job, and a batch on it: sbatch slurm.sh INPUTS OUT. Submit it again to resume.
#SBATCH --job-name=actparse
#SBATCH --nodes=8
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --time=24:00:00
#SBATCH --requeue
set -euo pipefail

inputs=$1 out=$2
nodes=($(scontrol show hostnames "$SLURM_JOB_NODELIST"))
address=${nodes[0]}:6379

srun --nodes=1 --ntasks=1 --nodelist="${nodes[0]}" \
  ray start --head --port=6379 --num-cpus="$SLURM_CPUS_PER_TASK" --block &
sleep 20
for node in "${nodes[@]:1}"; do
  srun --nodes=1 --ntasks=1 --nodelist="$node" \
    ray start --address="$address" --num-cpus="$SLURM_CPUS_PER_TASK" --block &
done
sleep 20

actparse batch "$inputs" --out "$out" --address "$address" --no-overlay --no-report
