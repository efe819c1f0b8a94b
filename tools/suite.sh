# SPDX-License-Identifier: GPL-3.0-or-later
#
# Building with a preset and running its tests with ctest; sourced by tools/test and .ci/run, from the repository's root.

passed=0
failed=0
skipped=0

# run_suite PRESET [CTEST-OPTION...] : build, test, and add to passed, failed and skipped. 1 if anything failed.
run_suite() {
    preset=$1
    shift
    report=$PWD/build/$preset/tests.xml
    rm -f "$report"
    if ! { cmake --preset "$preset" >"build/$preset.log" 2>&1 && cmake --build --preset "$preset" >>"build/$preset.log" 2>&1; }; then
        echo "The build of preset $preset failed:"
        grep -E -A 12 'error|FAILED' "build/$preset.log" | head -n 80
        failed=$((failed + 1))
        return 1
    fi
    status=0
    ctest --preset "$preset" --parallel "$(($(nproc) + 1))" --no-tests=error --output-junit "$report" "$@" || status=1
    if [ -f "$report" ]; then
        count failed failures
        count skipped skipped
        count disabled disabled
        count all tests
        failed=$((failed + counted_failed))
        skipped=$((skipped + counted_skipped + counted_disabled))
        passed=$((passed + counted_all - counted_failed - counted_skipped - counted_disabled))
    fi
    return "$status"
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
