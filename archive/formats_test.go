package archive_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/terms"
	"github.com/fineprint-archive/fineprint/warc"
	"github.com/fineprint-archive/fineprint/warc/handshake"
)

// docs/FORMATS.md describes the versions that this program writes.
func TestFormatsVersions(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/FORMATS.md")
	must(t, err)
	for _, want := range []string{
		fmt.Sprintf("Archive format %d,", archive.FormatVersion),
		fmt.Sprintf(" manifest version %d,", warc.ManifestVersion),
		fmt.Sprintf(" handshake proof version %d,", handshake.Version),
		fmt.Sprintf(" extractor version %s,", terms.ExtractorVersion),
		fmt.Sprintf(" tracker version %s,", terms.TrackerVersion),
		fmt.Sprintf(" catalog schema %d.", catalog.SchemaVersion()),
		fmt.Sprintf("The catalog (schema %d) ", catalog.SchemaVersion()),
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("docs/FORMATS.md does not say %q", want)
		}
	}
}
