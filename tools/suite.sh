# SPDX-License-Identifier: GPL-3.0-or-later
#
# Building with a preset and running its tests with ctest, or the fuzz targets with libFuzzer; sourced by tools/test,
# tools/fuzz and tools/lint, from the repository's root. How long each part took goes to build/PRESET/seconds, for tools/results.

# timed FILE PART COMMAND... : run the command; "SECONDS PART" is added to the file.
timed() {
    timed_file=$1
    timed_part=$2
    shift 2
    timed_start=$(date +%s)
    timed_status=0
    "$@" || timed_status=$?
    mkdir -p "$(dirname "$timed_file")"
    echo "$(($(date +%s) - timed_start)) $timed_part" >>"$timed_file"
    return "$timed_status"
}

# build PRESET [TARGET...] : configure and build, all if no targets are named; 1, with the first errors, if that fails.
build() {
    build_preset=$1
    shift
    rm -rf "build/$build_preset/seconds" "build/$build_preset/tests.xml" "build/$build_preset/cases"
    if timed "build/$build_preset/seconds" "$build_preset: configured" cmake --preset "$build_preset" >"build/$build_preset.log" 2>&1 &&
        timed "build/$build_preset/seconds" "$build_preset: built" \
            cmake --build --preset "$build_preset" ${1:+--target "$@"} >>"build/$build_preset.log" 2>&1; then
        return 0
    fi
    echo "The build of preset $build_preset failed:"
    grep -E -A 12 'error|FAILED' "build/$build_preset.log" | head -n 80
    return 1
}

# run_suite PRESET [CTEST-OPTION...] : run the tests of what is built. 1 if anything failed.
run_suite() {
    suite_preset=$1
    shift
    timed "build/$suite_preset/seconds" "$suite_preset: tested" ctest --preset "$suite_preset" --parallel "$(($(nproc) + 1))" \
        --no-tests=error --output-junit "$PWD/build/$suite_preset/tests.xml" "$@"
}

# run_fuzzers [OPTION...] [TARGET...] : build the targets and fuzz them (tools/fuzzing.py). 1 if anything failed.
run_fuzzers() {
    build fuzz || return
    timed build/fuzz/seconds "fuzz: fuzzed" /usr/bin/python3 -B tools/fuzzing.py --report="$PWD/build/fuzz/tests.xml" "$@"
}

# targets_of NAME... : the targets of the build that tests need whose names begin with these; nothing if all may be needed.
targets_of() {
    targets=
    for name in "$@"; do
        room=${name%%.*}
        case $room in
            netns | interop | boot | build) targets="$targets bootkey rogue_bootkey answering_bootkey" ;;
            package) targets="$targets bootkey" ;;
            *)
                [ -f "tests/$room/CMakeLists.txt" ] || return 0
                targets="$targets test_$room"
                ;;
        esac
    done
    echo "$targets"
}

# pattern_of NAME... : a regular expression for the tests of ctest that have cases of these names: all of a room whose name it is, else
# those that contain the name. A test of tests/netns or tests/package may run several cases; BOOTKEY_CASES tells it which.
pattern_of() {
    pattern=
    for name in "$@"; do
        case $name in
            netns.*.* | package.*.*)
                file=${name#*.}
                name="^${name%%.*}\\.${file%%.*}(\\.|\$)"
                ;;
            *.*) ;;
            *) if [ -d "tests/$name" ]; then name="^$name\\."; else name="$name|^netns\\.|^package\\."; fi ;;
        esac
        pattern="$pattern${pattern:+|}$name"
    done
    echo "$pattern"
}

# cases_of NAME... : a regular expression for the cases of tests/netns and tests/package that are meant by these names. The unit tests of a
# room have none.
cases_of() {
    cases=
    for name in "$@"; do
        case $name in
            netns | package) ;;
            *) [ ! -d "tests/$name" ] || continue ;;
        esac
        cases="$cases${cases:+|}$name"
    done
    echo "$cases"
}

# names_of_sample : the names in tests/sample.txt.
names_of_sample() {
    awk '/^[^#]/ { print $1 }' tests/sample.txt
}
