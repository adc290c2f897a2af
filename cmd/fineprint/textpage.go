package main

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/terms"
)

// textPageHead begins a page that needs nothing else and prints.
const textPageHead = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%[1]s</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.5 Georgia, "Noto Serif", "Noto Serif CJK SC", serif; max-width: 46rem; margin: 1rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
header { border-bottom: 1px solid; margin-bottom: 1rem; font-family: system-ui, sans-serif; }
.item { margin-block: .3rem; }
</style>
</head>
<body>
<header><h1>%[1]s</h1><p>%[2]s</p></header>
`

// writeTextPage writes a text as a page. All of it is escaped; links lead to
// addresses of the web alone.
func writeTextPage(w io.Writer, v catalog.VersionRow, t *terms.Text) error {
	out := bufio.NewWriter(w)
	about := fmt.Sprintf("%s, first seen %s, last seen %s; plain text SHA-256 %s, by extractor %s",
		v.URL, v.Time.UTC().Format(time.RFC3339), v.LastSeen.UTC().Format(time.RFC3339), v.TextSHA256, v.Extractor)
	fmt.Fprintf(out, textPageHead, html.EscapeString(title(v.Service, v.Terms, v.DocumentLang)), html.EscapeString(about))
	fmt.Fprintf(out, "<main lang=\"%s\" dir=\"auto\">\n", html.EscapeString(t.Lang))
	for i := range t.Blocks {
		writeBlock(out, &t.Blocks[i])
	}
	out.WriteString("</main>\n</body>\n</html>\n")
	return out.Flush()
}

// writeBlock writes one block; headings begin below that of the page.
func writeBlock(out *bufio.Writer, b *terms.Block) {
	text := markedHTML(b)
	switch b.Kind {
	case terms.Heading:
		level := min(b.Level+1, 6)
		fmt.Fprintf(out, "<h%d dir=\"auto\">%s</h%d>\n", level, text, level)
	case terms.Item:
		marker := b.Marker
		if marker == "" {
			marker = "•"
		}
		fmt.Fprintf(out, "<p class=\"item\" dir=\"auto\" style=\"margin-inline-start: %dem\">%s %s</p>\n", 2*b.Level, html.EscapeString(marker), text)
	default:
		fmt.Fprintf(out, "<p dir=\"auto\">%s</p>\n", text)
	}
}

// markedHTML returns a block's text with its marks, which nest.
func markedHTML(b *terms.Block) string {
	var out strings.Builder
	var open []terms.Mark
	at := 0
	text := func(to int) {
		if to > at {
			out.WriteString(html.EscapeString(b.Text[at:to]))
			at = to
		}
	}
	closeUntil := func(start int) {
		for n := len(open); n > 0 && open[n-1].End <= start; n-- {
			text(open[n-1].End)
			out.WriteString(markTag(open[n-1], true))
			open = open[:n-1]
		}
	}
	for _, m := range b.Marks {
		closeUntil(m.Start)
		text(m.Start)
		out.WriteString(markTag(m, false))
		open = append(open, m)
	}
	closeUntil(len(b.Text))
	text(len(b.Text))
	return out.String()
}

// markTag returns the tag of a mark; "" for a link that leads elsewhere than into
// the web.
func markTag(m terms.Mark, end bool) string {
	name, attribute := string(m.Kind), ""
	if m.Kind == terms.Link {
		if !strings.HasPrefix(m.URL, "https://") && !strings.HasPrefix(m.URL, "http://") {
			return ""
		}
		name, attribute = "a", ` rel="nofollow noreferrer" href="`+html.EscapeString(m.URL)+`"`
	}
	if end {
		return "</" + name + ">"
	}
	return "<" + name + attribute + ">"
}
