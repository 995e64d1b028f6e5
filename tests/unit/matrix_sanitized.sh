#!/bin/bash
# Runs the unit tests of Matrix with AddressSanitizer and UndefinedBehaviorSanitizer.
#
#   tests/unit/matrix_sanitized.sh [python]
#
# Only boc._matrix is instrumented: the C files are compiled straight into a package of their own under build/.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${1:-python3}
out=build/sanitized
flags="-g -O1 -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
suffix=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
rm -rf "$out" && mkdir -p "$out/objects" "$out/site/boc"

compile() { # object, source, flags...
  local object=$out/objects/$1.o source=$2
  shift 2
  ${CC:-cc} $flags "$@" -Iext/include -isystem "$include" -c "$source" -o "$object" &
}
isas="plain:-DBOC_LANES=2"
if [ "$(uname -m)" = x86_64 ]; then
  isas="$isas avx2:-DBOC_LANES=4,-mavx2,-mfma,-mprfchw avx512:-DBOC_LANES=8,-mavx512f,-mavx512dq,-mavx512vl,-mavx2,-mfma,-mprfchw"
fi
for isa in $isas; do
  name=${isa%%:*} args=${isa#*:}
  for kernel in map circle draw fold; do
    compile "$kernel-$name" "ext/matrix/kernels_$kernel.c" ${args//,/ } "-DBOC_ISA=$name" -ffp-contract=off -fno-trapping-math -fno-math-errno -Wno-psabi
  done
  compile "rounded-$name" ext/matrix/kernels_product.c ${args//,/ } "-DBOC_ISA=$name" -DBOC_ROUNDING=rounded -ffp-contract=off -Wno-psabi
  compile "fused-$name" ext/matrix/kernels_product.c ${args//,/ } "-DBOC_ISA=$name" -DBOC_ROUNDING=fused -ffp-contract=fast -Wno-psabi
  wait
done
for source in ext/matrix/*.c; do
  case $source in */kernels_*) ;; *) compile "$(basename "$source" .c)" "$source" -ffp-contract=off ;; esac
done
wait
${CC:-cc} -shared $flags "$out"/objects/*.o -lm -lpthread -o "$out/site/boc/_matrix$suffix"

# The interpreter's own allocations are not freed at exit; hypothesis and numpy load first from the usual places.
preload=$(${CC:-cc} -print-file-name=libasan.so):$(${CC:-cc} -print-file-name=libubsan.so)
env LD_PRELOAD="$preload" ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 \
  PYTHONMALLOC=malloc PYTHONPATH="$out/site" "$python" -m pytest -q -p no:cacheprovider --noconftest -x \
  --timeout=600 tests/unit/test_matrix_*.py -k "not sub_interpreters and not without_a_seed"
