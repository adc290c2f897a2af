package evidence

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"html"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fineprint-archive/fineprint/warc"
)

// The papers of a bundle. {{name}} is a value; {{{name}}} are rows of HTML. A
// template package would triple the size of the verifier.
var (
	//go:embed papers/README.txt
	paperReadme string
	//go:embed papers/REPORT.html
	paperReport string
	//go:embed papers/citation.txt
	paperCitation string
	//go:embed papers/certificate-902.txt
	paperCertificate string
	//go:embed papers/tls-README.txt
	tlsReadme string
	//go:embed papers/verify.sh
	script string
)

// papers returns the files for people.
func (pl *plan) papers() ([]File, error) {
	values, err := pl.values()
	if err != nil {
		return nil, err
	}
	run, err := pl.run()
	if err != nil {
		return nil, err
	}
	text := func(name, paper string) File { return File{name, trimmed([]byte(fill(paper, values, nil)))} }
	escaped := map[string]string{}
	for k, v := range values {
		escaped[k] = html.EscapeString(v)
	}
	rows := map[string]string{"proven": pl.provenRows(), "facts": pl.factRows(values), "records": pl.recordRows(), "series": pl.seriesRows(), "texts": pl.textRows(), "anchors": pl.anchorRows(), "committed": pl.committedRows(), "observed": pl.observedRows()}
	return []File{
		text(nameReadme, paperReadme),
		text(nameCitation, paperCitation),
		text(nameCertificate, paperCertificate),
		{nameReport, []byte(fill(paperReport, escaped, rows))},
		{nameAbsent, pl.absent()},
		{nameRun, run},
		{nameScript, []byte(script)},
	}, nil
}

// fill replaces the placeholders of a paper.
func fill(paper string, values, rows map[string]string) string {
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(rows)) {
		pairs = append(pairs, "{{{"+k+"}}}", strings.TrimSuffix(rows[k], "\n"))
	}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		pairs = append(pairs, "{{"+k+"}}", values[k])
	}
	return strings.NewReplacer(pairs...).Replace(paper)
}

// values returns what the papers say of the look.
func (pl *plan) values() (map[string]string, error) {
	index, err := proofIndex(pl.Look.Proof)
	if err != nil {
		return nil, err
	}
	leaf := sha256.Sum256(pl.Look.Leaf)
	m := pl.manifest
	payload := "none"
	if m.Payload != nil {
		payload = m.Payload.SHA256.Hex()
	}
	warcSum, err := newContent(nameWARC, pl.writeWARC)
	if err != nil {
		return nil, err
	}
	origin, _, _ := strings.Cut(string(pl.Checkpoint), "\n")
	values := map[string]string{
		"title": pl.title(), "url": m.URL, "n": strconv.FormatInt(m.N, 10), "time": stamp(m.Time), "outcome": outcome(m),
		"source": m.Source, "maker": m.Tool, "origin": origin, "index": strconv.FormatInt(index, 10), "leaf": hex.EncodeToString(leaf[:]),
		"manifest": pl.look.Manifest.Record, "manifest_sha256": pl.look.Manifest.SHA256.Hex(), "payload": payload,
		"warc_sha256": hex.EncodeToString(warcSum.sha256[:]), "checkpoint": string(pl.Checkpoint),
		"operator": cmp.Or(pl.Operator, "the operator"), "contact": cmp.Or(pl.Contact, "not stated"), "created": stamp(pl.Created), "tool": pl.Tool,
		"clock": "see run.json",
	}
	for k, v := range values {
		if k != "checkpoint" {
			values[k] = oneLine(v)
		}
	}
	values["derived"], values["observed"], values["alone"] = pl.derivedLines(), pl.observedLines(), pl.alone()
	return values, nil
}

// oneLine keeps a value from forging lines of a paper.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, s)
}

// outcome says in words what came of a look.
func outcome(m *warc.Manifest) string {
	switch {
	case m.Result == warc.Failed && m.Status != 0:
		return fmt.Sprintf("failed (%s, HTTP status %d)", m.Error, m.Status)
	case m.Result == warc.Failed:
		return fmt.Sprintf("failed (%s)", m.Error)
	case m.Result == warc.NotModified:
		return "not modified since the look before, the server said"
	}
	return fmt.Sprintf("captured (HTTP status %d)", m.Status)
}

// run returns run.json: one line of JSON, sorted keys.
func (pl *plan) run() ([]byte, error) {
	if pl.Run != nil {
		return pl.Run, nil
	}
	m := pl.manifest
	b, err := marshalCanonical(map[string]any{
		"run": m.Run, "tool": m.Tool, "vantage": m.Vantage, "time": warc.FormatDate(m.Time), "ended": warc.FormatDate(m.Ended),
		"declaration_sha256": m.Declaration, "bundle_tool": pl.Tool,
	})
	return append(b, '\n'), err
}

// row returns a row of a table; the cells are text, but for those in code tags.
func row(cells ...string) string {
	return "<tr><td>" + strings.Join(cells, "</td><td>") + "</td></tr>\n"
}

func code(s string) string { return "<code>" + html.EscapeString(oneLine(s)) + "</code>" }

// provenRows are the claims of the first page.
func (pl *plan) provenRows() string {
	have := func(yes bool, what string) string {
		if yes {
			return what
		}
		return `<span class="no">not present</span>`
	}
	tokens := 0
	for _, f := range pl.Anchors {
		if strings.HasSuffix(f.Name, ".tsr") {
			tokens++
		}
	}
	t := pl.manifest.TLS
	return row("No byte of the records changed since they were entered into the log", "nobody: SHA-256", "capture.warc.gz, leaf.json") +
		row("The log holds this look, signed by the log's key", "that the key is the log's: get it elsewhere", "leaf.tlog-proof") +
		row("Everybody is shown the same log, and it never dropped or changed an entry", "the witnesses, as many as your policy asks for", have(pl.Cosigned != nil, nameCosigned)) +
		row("The records existed at the time of the earliest timestamp", "any one of the timestamp authorities", have(tokens > 0, fmt.Sprintf("anchors/ (%d timestamps)", tokens))) +
		row("The site's key answered our connection after the anchored time", "the certificate authority of the site", have(t != nil && !t.Proof.IsZero(), nameHandshake)) +
		row("No logged look between two dates was left out", "the log's numbering and its witnesses", have(len(pl.Between) > 0, "leaves/")) +
		row("Somebody else saw the same", "the second observer, whom you can ask", pl.sameRow())
}

func (pl *plan) factRows(values map[string]string) string {
	m, e := pl.manifest, pl.look
	b := row("Declared address", code(m.URL))
	if m.FinalURL != "" && m.FinalURL != m.URL {
		b += row("Address asked last", code(m.FinalURL))
	}
	b += row("Begin and end", html.EscapeString(stamp(m.Time)+" to "+stamp(m.Ended))+", by the clock of the archive")
	b += row("Result", values["outcome"])
	if m.Detail != "" {
		b += row("In words", html.EscapeString(oneLine(m.Detail)))
	}
	if m.Payload != nil {
		b += row("Entity body", fmt.Sprintf("%d bytes, %s", m.Payload.Size, html.EscapeString(oneLine(m.Payload.MIME)))+"<br>SHA-256 "+code(m.Payload.SHA256.Hex())+"<br>SHA-1 "+code(m.Payload.SHA1.Base32()))
	}
	if e.SameAs != nil {
		b += row("Same bytes as", code(e.SameAs.Record)+" of an earlier look, which is in capture.warc.gz too")
	}
	if t := m.TLS; t != nil {
		b += row("Certificates", "SHA-256 "+code(t.Chain.Hex()))
	} else if strings.HasPrefix(m.URL, "http:") {
		b += row("Certificates", "none: the connection was not encrypted")
	}
	if m.Robots != nil && m.Robots.Policy == "ignore" {
		b += row("robots.txt", "not obeyed for this page; the reason stated: "+html.EscapeString(oneLine(m.Robots.Reason)))
	}
	b += row("Made by", html.EscapeString(oneLine(m.Tool))+", run "+code(m.Run))
	if m.Vantage != "" {
		b += row("From", html.EscapeString(oneLine(m.Vantage))+" (the operator's label)")
	}
	return b + row("Source", code(e.Source)) + row("Manifest", code(e.Manifest.Record)+"<br>SHA-256 "+code(e.Manifest.SHA256.Hex())) +
		row("In the archive", code(e.WARC)+fmt.Sprintf(", manifest at %d, %d bytes", e.Offset, e.Length))
}

func (pl *plan) recordRows() (b string) {
	for _, m := range pl.warc.members {
		b += row(html.EscapeString(oneLine(m.typ)), code(m.record)+"<br>"+code(m.sha256.Hex()), strconv.FormatInt(m.length, 10))
	}
	return b
}

func (pl *plan) seriesRows() (b string) {
	show := func(e Entry) string {
		what := string(e.Result)
		if e.Error != "" {
			what += " (" + e.Error + ")"
		}
		if e.Bytes != "" {
			what += ", bytes " + string(e.Bytes)
		}
		return row(strconv.FormatInt(e.N, 10), stamp(e.Time), html.EscapeString(what))
	}
	all := pl.between
	if len(all) == 0 && pl.Prev != nil {
		if e, err := ParseEntry(pl.Prev.Leaf); err == nil { // Verify says what is wrong with it
			all = []Entry{e}
		}
	}
	for _, e := range all {
		b += show(e)
	}
	return b + show(pl.look)
}

// absent returns NOT-PRESENT.txt: what this bundle does not have, and why.
func (pl *plan) absent() []byte {
	var b []byte
	line := func(missing bool, name, why string) {
		if missing {
			b = fmt.Appendf(b, "%s: %s\n", name, why)
		}
	}
	tokens := func(suffix string) bool {
		return slices.ContainsFunc(pl.Anchors, func(f File) bool { return strings.HasSuffix(f.Name, suffix) })
	}
	t := pl.manifest.TLS
	pl.absentTexts(line)
	line(len(pl.receipts) == 0, "result of the Wayback Machine (wayback/)", "not present: no capture of the Wayback Machine has been read back for this look; run `fineprint wayback submit`")
	line(true, "screenshot, print", "pages are kept as served and not drawn; open capture.wacz in ReplayWeb.page")
	line(!tokens(".tsr"), "timestamps (anchors/*.tsr)", "no timestamp authority stamped this checkpoint")
	line(!tokens(".ots"), "OpenTimestamps proof (anchors/*.ots)", "none for this checkpoint")
	line(pl.Cosigned == nil, nameCosigned, "no witness cosigned this checkpoint")
	line(pl.Newer == nil, nameNewer, "no newer checkpoint when this was written")
	line(pl.Prev == nil && pl.look.Prev == nil, namePrev, "this is the first look at its source")
	line(len(pl.Between) == 0, "leaves/", "no range was asked for")
	line(t == nil, "tls/", "the page came without TLS, or no connection was made")
	if t != nil && t.Proof.IsZero() {
		line(true, nameHandshake, cmp.Or(oneLine(t.ProofMissing), "there was no anchored checkpoint yet that it could commit to"))
	}
	return b
}

// proofIndex returns the index of the leaf from a C2SP tlog-proof, unchecked.
func proofIndex(proof []byte) (int64, error) {
	for line := range strings.Lines(string(proof)) {
		if digits, ok := strings.CutPrefix(line, "index "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
			if err != nil || n < 0 {
				break
			}
			return n, nil
		}
	}
	return 0, fmt.Errorf("the proof of the leaf has no index line")
}
