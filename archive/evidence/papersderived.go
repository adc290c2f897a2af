package evidence

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"html"
	"strings"
	"time"

	"github.com/fineprint-archive/fineprint/archive/anchor"
)

// derivedLines says in the README what there is to read. Lines are up to 80
// characters wide but for the names of documents.
func (pl *plan) derivedLines() string {
	var b strings.Builder
	for i := range pl.derived {
		d := &pl.derived[i]
		fmt.Fprintf(&b, "%s: ", oneLine(d.Title))
		switch {
		case d.Text == nil:
			fmt.Fprintf(&b, "no text.\n  %s\n", oneLine(d.NoText))
		case d.Redline == nil:
			fmt.Fprintf(&b, "%s.\n  No redline: %s\n", fileNames(d.Text.Files), oneLine(d.NoLine))
		default:
			fmt.Fprintf(&b, "%s.\n  %s: %s.\n", fileNames(d.Text.Files), fileNames(d.Redline.Files), d.Redline.about())
		}
	}
	for i := range pl.derived {
		if t := pl.derived[i].Text; t != nil {
			if away := t.elsewhere(pl.warc); away != "" {
				fmt.Fprintf(&b, "Made of payloads that lie in the archive and not in this bundle: %s.\n", oneLine(away))
			}
		}
	}
	if pl.texts() == 0 {
		b.WriteString("There is no text in this bundle. Open capture.wacz to see the page.")
		return b.String()
	}
	if pl.redlines() > 0 {
		b.WriteString("In redline.txt {+this was added+} and [-this was removed-]; lines that begin with\n& were made from an earlier paragraph, those with > moved here.\n")
	}
	b.WriteString(`These were made from the records by the program that wrote this bundle, so that
a person can read them. They prove nothing by themselves, and nothing here rests
on them: anybody can make them again from the payload with the extractor version
that derived.json names. If they differ from the records, the records count.`)
	return b.String()
}

// redlines counts the documents that have a redline.
func (pl *plan) redlines() (n int) {
	for i := range pl.derived {
		if pl.derived[i].Redline != nil {
			n++
		}
	}
	return n
}

// about says what a redline compares.
func (r *DerivedRedline) about() string {
	switch r.Kind {
	case RedlineRange:
		return "what changed since the first look of the range, " + stamp(r.From)
	case RedlineUnconfirmed:
		return "what differs from the version since " + stamp(r.From) + "; NOT CONFIRMED by a second look when this was written"
	case "reverted":
		return "what changed against the version since " + stamp(r.From) + "; an earlier text came back"
	}
	return "what changed against the version since " + stamp(r.From)
}

func fileNames(files []DerivedFile) string {
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.Name
	}
	return strings.Join(names, ", ")
}

// absentTexts names the texts and redlines that are not there.
func (pl *plan) absentTexts(line func(missing bool, name, why string)) {
	line(len(pl.derived) == 0, "text of the page, redline", "nothing was derived from this look; derive it from capture.warc.gz")
	for i := range pl.derived {
		d := &pl.derived[i]
		line(d.Text == nil, "text of "+oneLine(d.Title), oneLine(d.NoText))
		line(d.Text != nil && d.Redline == nil, "redline of "+oneLine(d.Title), oneLine(d.NoLine))
	}
}

// textRows are the rows of REPORT.html about what was derived.
func (pl *plan) textRows() (b string) {
	for i := range pl.derived {
		d := &pl.derived[i]
		b += row("Document", html.EscapeString(oneLine(d.Title))+"<br>"+code(d.Document))
		b += row("What the page shows", html.EscapeString(oneLine(d.judgement())))
		if d.Text == nil {
			b += row("Text", `<span class="no">not present</span>: `+html.EscapeString(oneLine(d.NoText)))
			continue
		}
		t := d.Text
		b += row("Text", html.EscapeString(fmt.Sprintf("%s: %d words, by extractor %s on %s", fileNames(t.Files), t.Words, oneLine(t.Extractor), stamp(t.Made))))
		for _, c := range t.Captures {
			b += row("Made of", html.EscapeString(fmt.Sprintf("look %d, %s", c.N, stamp(c.Time)))+"<br>"+code(c.URL)+"<br>payload SHA-256 "+code(c.Payload.Hex()))
		}
		if d.Redline == nil {
			b += row("Redline", `<span class="no">not present</span>: `+html.EscapeString(oneLine(d.NoLine)))
			continue
		}
		b += row("Redline", html.EscapeString(fileNames(d.Redline.Files)+": "+d.Redline.about())+"<br>"+html.EscapeString(oneLine(d.Redline.Summary)))
	}
	if b == "" {
		return row("Text", `<span class="no">not present</span>: nothing was derived from this look`)
	}
	return b
}

// judgement says what grade and outcome a look has.
func (d *Derived) judgement() string {
	if d.Grade == "" {
		return "not judged"
	}
	s := "grade " + d.Grade
	if d.Outcome != "" {
		s += ", outcome " + d.Outcome
	}
	if d.Reason != "" {
		s += " (" + d.Reason + ")"
	}
	return s + ", by the rules " + d.Rules
}

// anchorRows are the rows of REPORT.html about timestamps and cosignatures: what
// each says of itself.
func (pl *plan) anchorRows() (b string) {
	for _, f := range pl.Anchors {
		b += statements(dirAnchors+f.Name, f.Data)
	}
	b += statements(nameCosigned, signatureLines(pl.Cosigned))
	if b == "" {
		return row(`<span class="no">nobody</span>`, "", "")
	}
	return b
}

// committedRows are the rows about the earlier checkpoint that the handshake
// commits to.
func (pl *plan) committedRows() (b string) {
	if pl.Committed == nil {
		return row(`<span class="no">no handshake proof</span>`, "", "")
	}
	for _, f := range pl.Committed.Files {
		b += statements(dirCommitted+f.Name, f.Data)
	}
	return b
}

// statements are the rows of one file: a timestamp, or signature lines.
func statements(name string, data []byte) (b string) {
	switch {
	case strings.HasSuffix(name, ".tsr"):
		who, when := "a timestamp that cannot be read", ""
		if t, err := anchor.ReadToken(data); err == nil { // Verify says what is wrong with it
			who, when = "Timestamp authority: "+t.Signer, stamp(t.Time)
		}
		return row(html.EscapeString(oneLine(who)), when, code(name))
	case strings.HasSuffix(name, ".ots"):
		return row("OpenTimestamps (Bitcoin)", "", code(name))
	case strings.HasSuffix(name, ".pem"):
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if who, at, ok := cosigned(strings.TrimSuffix(line, "\n")); ok {
			b += row("Witness: "+html.EscapeString(oneLine(who)), stamp(at), code(name))
		}
	}
	return b
}

// cosigned reads who made a cosignature and when, as its line says (C2SP
// tlog-cosignature: key hash of four bytes, time of eight, signature). A plain
// signature is too short to be one.
func cosigned(line string) (name string, at time.Time, ok bool) {
	fields := strings.Split(line, " ")
	if len(fields) != 3 || fields[0] != "—" {
		return "", at, false
	}
	sig, err := base64.StdEncoding.DecodeString(fields[2])
	if err != nil || len(sig) < 4+8+64 {
		return "", at, false
	}
	return fields[1], time.Unix(int64(binary.BigEndian.Uint64(sig[4:12])), 0), true
}
