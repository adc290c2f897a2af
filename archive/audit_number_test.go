package archive

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestNumbering enters looks at one source, in the order of the log, written as
// number, manifest, manifest before; "4-" is a loss, "!" an interrupted look.
func TestNumbering(t *testing.T) {
	t.Parallel()
	many := "1a"
	for n := 3; n <= maxLater+5; n++ {
		many += " " + strconv.Itoa(n) + "m" // as long as number 2 is missing
	}
	for _, tc := range []struct{ name, looks, want string }{
		{"in order", "1a 2ba 3cb", ""},
		{"late", "1a 3cb 4dc 2ba", ""},
		{"lost", "1a 2- 3ca 4dc", ""},
		{"lost when it was whole, and named", "1a 2- 3cb", ""},
		{"wrong look before, behind a lost one", "1a 2- 3cb 4de", "4"},
		{"declared lost late", "1a 3ca 2-", ""},
		{"lost at the beginning", "1- 2b", ""},
		{"interrupted is passed over", "1a 2b!a 3ca", ""},
		{"interrupted is named", "1a 2b!a 3cb", ""},
		{"missing", "1a 3cb 4dc", "2"},
		{"several missing", "1a 5cb", "2"},
		{"first missing", "2ba", "1"},
		{"two gaps", "1a 3cb 5ed", "2 4"},
		{"twice", "1a 2ba 2ca", "2"},
		{"twice, beyond a gap", "1a 3cb 3db 2ba", "3"},
		{"lost and there", "1a 2ba 2-", "2"},
		{"wrong look before", "1a 2ba 3ca", "3"},
		{"no look before", "1a 2b", "2"},
		{"a look before the first", "1ba", "1"},
		{"more than can wait", many, "2"},
		{"more than can wait, then late", many + " 2ba", ""},
	} {
		var found []string
		s := newNumbering(func(f AuditFinding) {
			if f.Kind != AuditNumber || f.Source != "s" {
				t.Errorf("%s: finding %+v", tc.name, f)
			}
			found = append(found, strconv.FormatInt(f.N, 10))
		})
		for i, look := range strings.Fields(tc.looks) {
			digits := strings.TrimRight(look, "abcdefm!-")
			rest := look[len(digits):]
			n, err := strconv.ParseInt(digits, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			l := numbered{source: "s", index: int64(i), n: n, interrupted: strings.Contains(rest, "!")}
			switch rest = strings.ReplaceAll(rest, "!", ""); {
			case rest == "-":
				l.lost = true
			case rest[0] == 'm': // each names the one before it
				l.manifest, l.prev = manifestMark{byte(l.n), byte(l.n >> 8), 1}, manifestMark{byte(l.n - 1), byte((l.n - 1) >> 8), 1}
			default:
				l.manifest = manifestMark{rest[0]}
				if len(rest) > 1 {
					l.prev = manifestMark{rest[1]}
				}
			}
			s.add(l)
		}
		s.end(false)
		slices.Sort(found)
		if got := strings.Join(found, " "); got != tc.want {
			t.Errorf("%s: findings about looks %q, want %q", tc.name, got, tc.want)
		}
	}
}

// Where entries cannot be read, a missing number is not called false.
func TestNumberingGaps(t *testing.T) {
	t.Parallel()
	var kinds []AuditKind
	s := newNumbering(func(f AuditFinding) { kinds = append(kinds, f.Kind) })
	s.add(numbered{source: "s", n: 2, manifest: manifestMark{1}, prev: manifestMark{2}})
	s.end(true)
	if !slices.Equal(kinds, []AuditKind{AuditUnreadable}) {
		t.Errorf("findings %q", kinds)
	}
}
