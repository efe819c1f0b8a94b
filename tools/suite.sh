# SPDX-License-Identifier: GPL-3.0-or-later
#
# Building with a preset and running its tests with ctest, or the fuzz targets with libFuzzer; sourced by tools/test,
# tools/fuzz and .ci/run, from the repository's root.

passed=0
failed=0
skipped=0

# run_suite PRESET [CTEST-OPTION...] : build, test, and add to passed, failed and skipped. 1 if anything failed.
run_suite() {
    preset=$1
    shift
    build "$preset" || return
    report=$PWD/build/$preset/tests.xml
    rm -f "$report"
    status=0
    ctest --preset "$preset" --parallel "$(($(nproc) + 1))" --no-tests=error --output-junit "$report" "$@" || status=1
    add_counts
    return "$status"
}

# run_fuzzers [OPTION...] [TARGET...] : build, fuzz (tools/fuzzing.py), and add the targets to passed and failed. 1 if
# anything failed.
run_fuzzers() {
    build fuzz || return
    report=$PWD/build/fuzz/tests.xml
    rm -f "$report"
    status=0
    /usr/bin/python3 -B tools/fuzzing.py --report="$report" "$@" || status=$?
    add_counts
    return "$status"
}

# build PRESET : 1, with the first errors, if that fails, which adds to failed.
build() {
    if cmake --preset "$1" >"build/$1.log" 2>&1 && cmake --build --preset "$1" >>"build/$1.log" 2>&1; then
        return 0
    fi
    echo "The build of preset $1 failed:"
    grep -E -A 12 'error|FAILED' "build/$1.log" | head -n 80
    failed=$((failed + 1))
    return 1
}

# Add what the JUnit report says, if there is one.
add_counts() {
    [ -f "$report" ] || return 0
    count failed failures
    count skipped skipped
    count disabled disabled
    count all tests
    failed=$((failed + counted_failed))
    skipped=$((skipped + counted_skipped + counted_disabled))
    passed=$((passed + counted_all - counted_failed - counted_skipped - counted_disabled))
}

# count NAME ATTRIBUTE : put a number of the JUnit report's <testsuite> into counted_NAME.
count() {
    number=$(sed -n "/<testsuite/,/>/s/.*[[:space:]]$2=\"\([0-9]*\)\".*/\1/p" "$report" | head -n 1)
    eval "counted_$1=\${number:-0}"
}

# Print the line that sums up.
print_counts() {
    if [ "$skipped" -gt 0 ]; then
        echo "$passed passed, $failed failed, $skipped skipped"
    else
        echo "$passed passed, $failed failed"
    fi
}
