package catalog_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/catalog/pgtest"
)

// Text from outside is stored, whatever it holds, and comes back the same from
// both databases.
func TestHostileText(t *testing.T) {
	texts := map[string]struct{ in, want string }{
		"chinese":    {"https://例え.example/隐私政策?q=条款", "https://例え.example/隐私政策?q=条款"},
		"arabic":     {"شروط الخدمة", "شروط الخدمة"},
		"astral":     {"\U0001F4DC\U000E0041", "\U0001F4DC\U000E0041"},
		"nul":        {"a\x00b", "a\uFFFDb"},
		"invalid":    {"a\xff\xfe\xe6\x97b", "a\uFFFD\uFFFD\uFFFD\uFFFDb"},
		"surrogate":  {"\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD"},
		"quotes":     {`'; DROP TABLE looks; --"\`, `'; DROP TABLE looks; --"\`},
		"bell":       {"\x01\x1b[31m\r\n\t\x7f", "\x01\x1b[31m\r\n\t\x7f"},
		"long":       {"https://a.example/" + strings.Repeat("é", 50_000), "https://a.example/" + strings.Repeat("é", 50_000)},
		"random":     {"https://a.example/" + rand.Text() + strings.Repeat("x", 100_000), ""},
		"whitespace": {"  a  ", "  a  "},
		"empty":      {"", ""},
	}
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		openWARC(t, db)
		i := 0
		for name, text := range texts {
			t.Run(name, func(t *testing.T) {
				if text.want == "" {
					text.want = text.in
				}
				i++
				id := fmt.Sprint("s", i)
				row := sourceRow(id, text.in, "a.example")
				row.AcceptLanguage, row.Vantage = text.in, text.in
				must(t, db.WantListed(ctx, "run1", catalog.DeclaredSet{Sources: []catalog.SourceRow{row},
					Documents: []catalog.DocumentRow{{ID: "d" + id, Service: text.in, ServiceID: id, Terms: text.in, Lang: text.in, Sources: []string{id}}}}, noon))
				b := begin(t, db, id, noon)
				l := captured(id, b.N, noon, text.in)
				l.URL, l.FinalURL, l.Error, l.Detail, l.MIME, l.ETag, l.LastModified, l.SameAs = text.in, text.in, text.in, text.in, text.in, text.in, text.in, text.in
				l.AcceptLanguage, l.Vantage = text.in, text.in
				must(t, db.FinishLook(ctx, catalog.Finish{Look: l, Records: []catalog.RecordRow{recordOf(l)}, NextAt: noon}))
				must(t, db.AddOutbox(ctx, catalog.OutboxNew{Source: id, N: b.N, URL: text.in, Cause: text.in, At: noon}))

				want := l
				w := text.want
				want.URL, want.FinalURL, want.Error, want.Detail, want.MIME, want.ETag, want.LastModified, want.SameAs = w, w, w, w, w, w, w, w
				want.AcceptLanguage, want.Vantage, want.State = w, w, catalog.LookSpooled
				want.Documents, want.Service, want.ServiceID, want.Terms, want.Lang = []string{"d" + id}, w, id, w, w
				filter := catalog.LookFilter{URL: text.in, Source: id}
				if d := cmp.Diff([]catalog.LookRow{want}, list(t, db, filter)); d != "" {
					t.Errorf("Looks (-want +got):\n%.2000s", d)
				}
				ref, ok, err := db.FindPayload(ctx, text.in, l.PayloadSHA256, l.PayloadSize, "a.warc.gz")
				if !ok || err != nil || ref.URI != w {
					t.Errorf("FindPayload = %v, %v, want the record", ok, err)
				}
			})
		}
	})
}

func TestTimes(t *testing.T) {
	times := map[string]struct{ in, want time.Time }{
		"nanoseconds": {noon, noon},
		"zone":        {noon.In(time.FixedZone("", 9*3600)), noon},
		"before 1970": {time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC)},
		"year 9999":   {time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)},
		"beyond":      {time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)},
		"below":       {time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)},
		"unknown":     {time.Time{}, time.Time{}},
	}
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		for name, test := range times {
			must(t, db.SaveRobots(ctx, "o", nil, 200, test.in))
			_, _, got, _, err := db.LoadRobots(ctx, "o")
			if err != nil || !got.Equal(test.want) || got.Location() != time.UTC {
				t.Errorf("%s: %v came back as %v, %v, want %v", name, test.in, got, err, test.want)
			}
		}
	})
}

func TestNewerSchema(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		newer := catalog.SchemaVersion() + 3
		if _, err := db.SQL().Exec("UPDATE meta SET value = $1 WHERE key = 'schema'", fmt.Sprint(newer)); err != nil {
			t.Fatal(err)
		}
		_, err := catalog.Open(ctx, dsn, catalog.Options{})
		e, ok := errors.AsType[*catalog.SchemaError](err)
		if !ok || e.Have != newer || e.Want != catalog.SchemaVersion() {
			t.Fatalf("Open of a newer schema: %v, want a SchemaError with both versions", err)
		}
		for _, part := range []string{fmt.Sprint("version ", newer), fmt.Sprint("up to ", catalog.SchemaVersion()), "newer fineprint"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("error %q does not say %q", err, part)
			}
		}
	})
}

// Several processes may open a new database at once.
func TestOpenTogether(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		errs := make(chan error)
		const n = 4
		for range n {
			go func() {
				db, err := catalog.Open(ctx, dsn, catalog.Options{})
				if err == nil {
					err = db.Close()
				}
				errs <- err
			}()
		}
		for range n {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestOpenSQLiteErrors(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	must(t, os.WriteFile(text, []byte(strings.Repeat("this is a letter, not a database\n", 100)), 0o644))
	damaged := filepath.Join(dir, "damaged.db")
	db, err := catalog.Open(ctx, damaged, catalog.Options{})
	must(t, err)
	must(t, db.Close())
	f, err := os.OpenFile(damaged, os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt(make([]byte, 60_000), 100) // the header stays
	must(t, errors.Join(err, f.Close()))
	odd := filepath.Join(dir, "odd ?name#100%41&x=1", "カタログ.db")

	tests := []struct{ name, dsn, want string }{
		{"no name", "", "no database is named"},
		{"a folder", dir, "it is a folder"},
		{"another file", text, "rebuild the catalog"},
		{"a damaged file", damaged, "rebuild the catalog"},
		{"below a file", filepath.Join(text, "x.db"), "make its folder"},
		{"an odd name", odd, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			db, err := catalog.Open(ctx, test.dsn, catalog.Options{})
			if test.want == "" {
				must(t, err)
				must(t, db.Close())
				if _, err := os.Stat(test.dsn); err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "open catalog "+test.dsn) {
				t.Errorf("Open: %v, want an error that names the file and says %q", err, test.want)
			}
		})
	}
}

// A folder that may not be written to, for a user who is not root.
func TestOpenReadOnly(t *testing.T) {
	// Not t.TempDir: another user must be able to enter it.
	dir, err := os.MkdirTemp("", "catalog")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	self, err := os.Executable()
	must(t, err)
	program := filepath.Join(dir, "child")
	copyFile(t, program, self)
	locked := filepath.Join(dir, "locked")
	must(t, os.Mkdir(locked, 0o555))
	cmd := exec.Command(program)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CATALOG_TEST_CHILD=open", "CATALOG_TEST_DSN="+filepath.Join(locked, "catalog.db"))
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "writable") || !strings.Contains(string(out), "locked/catalog.db") {
		t.Errorf("Open in a read-only folder: %v: %s, want an error that names the file and says writable", err, out)
	}
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	in, err := os.Open(from)
	must(t, err)
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	must(t, err)
	_, err = io.Copy(out, in)
	must(t, errors.Join(err, in.Close(), out.Close()))
}

func TestOpenPostgresErrors(t *testing.T) {
	server := pgtest.Start(t)
	admin := open(t, server)
	if os.Getenv(pgtest.Env) == "" {
		_, err := admin.SQL().Exec("CREATE ROLE " + pgtest.PasswordUser + " LOGIN PASSWORD 'another'")
		must(t, err)
	}
	at := strings.TrimPrefix(server[:strings.LastIndex(server, "/")], "postgres://fineprint@")
	closed := closedPort(t)
	const secret, escaped = "pa:ss/wo rd%", "pa%3Ass%2Fwo%20rd%25"
	tests := []struct{ name, dsn, want string }{
		{"nobody listens", "postgres://u:" + escaped + "@" + closed + "/db?connect_timeout=5", closed},
		{"no such database", "postgres://fineprint:" + escaped + "@" + at + "/nowhere?sslmode=disable", "createdb"},
		{"no such user", "postgres://nobody:" + escaped + "@" + at + "/postgres?sslmode=disable", "user and password"},
		{"wrong password", "postgres://" + pgtest.PasswordUser + ":" + escaped + "@" + at + "/postgres?sslmode=disable", "user and password"},
		{"not an address", "postgres://u:" + secret + "@host:port:x/db", "postgres://user:password@host:port/database"},
		{"unknown setting", "postgres://u:" + escaped + "@" + at + "/db?sslmode=perhaps", "cannot be read"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := catalog.Open(ctx, test.dsn, catalog.Options{})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("Open: %v, want an error with %q", err, test.want)
			}
			for _, s := range []string{secret, escaped, "pa:ss", "wo%20rd", "wo rd"} {
				if strings.Contains(err.Error(), s) || strings.Contains(fmt.Sprintf("%+v", err), s) {
					t.Errorf("error holds the password: %v", err)
				}
			}
		})
	}
}

// closedPort returns an address at which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	return l.Addr().String()
}
