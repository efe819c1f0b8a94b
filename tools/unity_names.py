# SPDX-License-Identifier: GPL-3.0-or-later
"""Find names that two files of a folder give to something of their own. See tools/lint.

Several files of a folder are compiled as one (CMAKE_UNITY_BUILD), and their unnamed namespaces are one then: a type or constant of the
same name does not compile, and a function takes calls that are meant for the other. What ships is compiled file by file, so that the tests
would try another program. Goes by the layout of .clang-format, where what a namespace declares begins in the first column.
"""

import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BEFORE = r"(?:(?:\[\[[^\]]*\]\]|template <[^>]*>|constexpr|inline|static|const) )*"
TYPE = r"(?!struct|class|enum|using|return|namespace|typedef|extern)[A-Za-z_][\w:]*(?:<.*>)?[ *&]+(?:[A-Za-z_][\w:<>]*[ *&]+)*"
FUNCTION = re.compile(BEFORE + TYPE + r"(\w+)\(")
CLASS = re.compile(r"(?:struct|class|enum class|enum) (\w+)")
CONSTANT = re.compile(r"(?:(?:inline )?constexpr|const) [\w:<> *]+?[ *&](\w+)(?:\[\])?(?: =|\{|\(|;)")


def own_names(path):
    """What the unnamed namespaces of a file declare."""
    names = set()
    inside = False
    for line in path.read_text().splitlines():
        if line == "namespace {":
            inside = True
        elif line.startswith("}  // namespace"):
            inside = False
        elif inside:
            names.update(match.group(1) for match in (FUNCTION.match(line), CLASS.match(line), CONSTANT.match(line)) if match)
    return names


def main():
    found = False
    for folder in sorted(path for top in ("src", "tests") for path in (ROOT / top).iterdir() if path.is_dir()):
        files = collections.defaultdict(list)
        for path in sorted(folder.glob("*.cpp")):
            for name in own_names(path):
                files[name].append(path)
        for name, paths in sorted(files.items()):
            if len(paths) > 1:
                found = True
                print(f"{folder.relative_to(ROOT)}: {' and '.join(path.name for path in paths)} each have a {name} of their own, which meet where "
                      "several files are compiled as one; give one of them another name")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
