"""Hooks of mkdocs: the pages stay as GitHub shows them, and the site shows them the same way."""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]

# Pages outside of docs/, and their names in the site.
BESIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "vulnerabilities.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "license.md",
    "charts/tranche/README.md": "chart.md",
    "sandbox/README.md": "sandbox.md",
    "certs/README.md": "certs.md",
}

# Draws diagrams. The theme takes it instead of loading it from another host.
MERMAID = ".cache/site/package/dist/mermaid.min.js"

FENCE = re.compile(r"^( *)(```+) *([\w-]*)(.*)$")
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(<?([^)>\s]+)>?\)")
# Its words begin on the line before.
END_OF_LINK = re.compile(r"^()([^\[\]]*)\]\(<?([^)>\s]+)>?\)")
ITEM = re.compile(r"^( *)([-*]|\d+\.) ")


def on_files(files, config):
    for source, name in BESIDE.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / source)))
    files.append(File.generated(config, "assets/mermaid.min.js", abs_src_path=str(ROOT / MERMAID)))
    return files


def on_post_page(output, page, config):
    """3 MB, so only on pages with a diagram."""
    if 'class="mermaid"' not in output:
        return output
    script = posixpath.relpath("assets/mermaid.min.js", posixpath.dirname(page.file.dest_uri) or ".")
    return output.replace("</head>", f'<script src="{script}"></script></head>', 1)


def on_page_markdown(markdown, page, config, files):
    names = BESIDE | {f"docs/{file.src_uri}": file.src_uri for file in files if file.src_uri not in BESIDE.values()}
    here = page.file.src_uri
    source = next(path for path, name in names.items() if name == here)
    if source == "LICENSE":
        return f"# License\n\n```text\n{markdown}\n```\n"
    # Comments are for the tests of the pages.
    markdown = re.sub(r"^<!--.*?-->\n?", "", markdown, flags=re.DOTALL | re.MULTILINE)
    return "\n".join(lines_of(markdown, lambda text: relink(text, source, here, names)))


def relink(text, source, here, names):
    """Links between files of the repository become links between pages. What is no page keeps its text only."""

    def replace(match, opening="["):
        image, words, target = match.groups()
        path, _, anchor = target.partition("#")
        if path == "" or re.match(r"[a-z]+:", target):
            return match.group(0)
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        name = names.get(wanted) or names.get(f"{wanted}/README.md")
        if name is None:
            return words
        relative = posixpath.relpath(name, posixpath.dirname(here) or ".")
        return f"{image}{opening}{words}]({relative}{'#' + anchor if anchor else ''})"

    return LINK.sub(replace, END_OF_LINK.sub(lambda match: replace(match, ""), text))


def lines_of(markdown, relinked):
    """
    Fences have words after the language for the tests, which mkdocs does not take. And it wants four spaces before what belongs to
    an item of a list, where GitHub takes as many as the item's own text has.
    """
    closing = None
    shifts = []  # for each open item: the column of its text, and the spaces to add below it
    for line in markdown.split("\n"):
        fence = FENCE.match(line)
        indent = len(line) - len(line.lstrip(" "))
        if closing is None:
            if line.strip():
                while shifts and indent < shifts[-1][0]:
                    shifts.pop()
            added = sum(shift for _, shift in shifts)
            if fence:
                closing = fence.group(2)
                language = fence.group(3) or "text"
                yield f"{' ' * (indent + added)}{closing}{language}"
                continue
            item = ITEM.match(line)
            yield " " * (added if line.strip() else 0) + relinked(line)
            if item:
                width = len(item.group(2)) + 1
                shifts.append((indent + width, 4 - width))
        else:
            added = sum(shift for _, shift in shifts)
            yield (" " * added + line) if line.strip() else line
            if fence and line.strip() == closing:
                closing = None
