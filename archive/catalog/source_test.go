package catalog_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fineprint-archive/fineprint/archive/catalog"
)

// ids collects the sources that a filter selects.
func ids(t *testing.T, db *catalog.DB, f catalog.SourceFilter) []string {
	t.Helper()
	var list []string
	for s, err := range db.Sources(ctx, f) {
		must(t, err)
		list = append(list, s.ID)
	}
	slices.Sort(list)
	return list
}

func TestSyncDeclarations(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		c := &clock{now: noon}
		db := openWith(t, dsn, catalog.Options{Now: c.time})
		set := declared(4)
		sync := func(want catalog.SyncStats) {
			t.Helper()
			got, err := db.SyncDeclarations(ctx, map[string]string{"日本.yaml": "01", "b.yaml": "02"}, set)
			if err != nil || got != want {
				t.Errorf("SyncDeclarations = %+v, %v, want %+v", got, err, want)
			}
		}
		sync(catalog.SyncStats{Sources: 4, Added: 4})
		sync(catalog.SyncStats{Sources: 4})
		if nothing, next, err := db.NothingDue(ctx, noon.Add(-1)); !nothing || !next.Equal(noon) || err != nil {
			t.Errorf("NothingDue before = %v, %v, %v, want true, %v", nothing, next, err, noon)
		}
		if nothing, _, err := db.NothingDue(ctx, noon); nothing || err != nil {
			t.Errorf("NothingDue of new sources = %v, %v, want false", nothing, err)
		}
		files, err := db.DeclarationFiles(ctx)
		if d := cmp.Diff(map[string]string{"日本.yaml": "01", "b.yaml": "02"}, files); d != "" || err != nil {
			t.Errorf("DeclarationFiles: %v (-want +got):\n%s", err, d)
		}
		openWARC(t, db)
		look(t, db, "s0", noon, "v1") // next visit in a day
		look(t, db, "s3", noon, "v1")

		set.Sources[0] = sourceRow("s0", set.Sources[0].URL, "other.example") // changed
		set.Sources[0].Canonical = append(set.Sources[0].Canonical, ' ')
		set.Documents[1].Terms = "Privacy Policy"
		set.Documents[2].Sources = []string{"s2", "s0"}
		set.Sources, set.Documents = set.Sources[:3], set.Documents[:3] // s3 is gone
		sync(catalog.SyncStats{Sources: 3, Changed: 1, Removed: 1})
		sync(catalog.SyncStats{Sources: 3})
		state := sourceState(t, db, "s0")
		if state.Host != "other.example" || !state.NextAt.Equal(noon.Add(24*time.Hour)) {
			t.Errorf("changed source: host %s, next %v, want the new host and the old place in the schedule", state.Host, state.NextAt)
		}
		if s := sourceState(t, db, "s3"); s.Declared || s.N != 1 {
			t.Errorf("removed source: declared %v, looks %d, want kept and no longer declared", s.Declared, s.N)
		}
		if got := ids(t, db, catalog.SourceFilter{Services: []string{"svc2"}}); !slices.Equal(got, []string{"s0", "s2"}) {
			t.Errorf("sources of the combined document = %v, want s0 and s2", got)
		}
		if rows := list(t, db, catalog.LookFilter{Service: "svc3"}); len(rows) != 1 {
			t.Errorf("looks of a removed document: %d, want 1", len(rows))
		}
		hosts, err := db.DueHosts(ctx, "", noon.Add(time.Hour))
		must(t, err)
		want := []catalog.HostDue{{Host: "host0.example", Sources: 1, Earliest: noon}, {Host: "host1.example", Sources: 1, Earliest: noon}}
		if d := cmp.Diff(want, hosts); d != "" {
			t.Errorf("DueHosts (-want +got):\n%s", d)
		}

		c.add(time.Hour)
		set = declared(4)
		sync(catalog.SyncStats{Sources: 4, Changed: 1, Added: 1}) // s3 is back, and due
		if s := sourceState(t, db, "s3"); !s.Declared || !s.NextAt.Equal(noon.Add(time.Hour)) {
			t.Errorf("source declared again: %v, next %v, want due now", s.Declared, s.NextAt)
		}
	})
}

func sourceState(t *testing.T, db *catalog.DB, id string) catalog.SourceState {
	t.Helper()
	for s, err := range db.Sources(ctx, catalog.SourceFilter{IDs: []string{id}}) {
		must(t, err)
		return s
	}
	t.Fatalf("no source %s", id)
	return catalog.SourceState{}
}

func TestSyncDeclarationsRefuses(t *testing.T) {
	db := open(t, t.TempDir()+"/catalog.db")
	source := sourceRow("s", "https://a.example/", "a.example")
	tests := []struct {
		name string
		set  catalog.DeclaredSet
		want string
	}{
		{"source twice", catalog.DeclaredSet{Sources: []catalog.SourceRow{source, source}}, "twice"},
		{"no id", catalog.DeclaredSet{Sources: []catalog.SourceRow{sourceRow("", "https://a.example/", "a.example")}}, "source id is empty"},
		{"no host", catalog.DeclaredSet{Sources: []catalog.SourceRow{sourceRow("s", "https://a.example/", "")}}, "host is empty"},
		{"long host", catalog.DeclaredSet{Sources: []catalog.SourceRow{sourceRow("s", "https://a.example/", strings.Repeat("a", 3000))}}, "longer than"},
		{"id with NUL", catalog.DeclaredSet{Sources: []catalog.SourceRow{sourceRow("s\x00", "https://a.example/", "a.example")}}, "U+0000"},
		{"id not UTF-8", catalog.DeclaredSet{Sources: []catalog.SourceRow{sourceRow("s\xff", "https://a.example/", "a.example")}}, "not UTF-8"},
		{"document without its source", catalog.DeclaredSet{Documents: []catalog.DocumentRow{{ID: "d", ServiceID: "x", Sources: []string{"s"}}}}, "not there"},
		{"document without service", catalog.DeclaredSet{Documents: []catalog.DocumentRow{{ID: "d"}}}, "service id of d is empty"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := db.SyncDeclarations(ctx, nil, test.set)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("SyncDeclarations: %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestRunSchedule(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := openWith(t, dsn, catalog.Options{Now: func() time.Time { return noon }})
		declare(t, db, 6)
		openWARC(t, db)
		look(t, db, "s0", noon, "v1") // due in a day
		later := noon.Add(time.Hour)

		n, err := db.Want(ctx, "due", catalog.SourceFilter{Due: true, Now: later})
		if n != 5 || err != nil {
			t.Errorf("Want what is due = %d, %v, want 5", n, err)
		}
		n, err = db.Want(ctx, "run1", catalog.SourceFilter{Services: []string{"svc0", "Service 2"}, Documents: []string{"svc3/terms-of-service/en"},
			IDs: []string{"s4"}, URLs: []string{"https://host1.example/terms/5"}, Now: later})
		if n != 5 || err != nil {
			t.Errorf("Want by every list = %d, %v, want 5", n, err)
		}
		if n, err := db.Want(ctx, "none", catalog.SourceFilter{IDs: []string{"nowhere"}, Now: later}); n != 0 || err != nil {
			t.Errorf("Want of an unknown source = %d, %v, want 0", n, err)
		}
		hosts, err := db.DueHosts(ctx, "run1", later)
		must(t, err)
		want := []catalog.HostDue{{Host: "host0.example", Sources: 3, Earliest: noon}, {Host: "host1.example", Sources: 2, Earliest: noon}}
		if d := cmp.Diff(want, hosts); d != "" {
			t.Errorf("DueHosts (-want +got):\n%s", d)
		}
		due, err := db.DueSources(ctx, "run1", "host0.example", later, 10)
		must(t, err)
		var order []string
		for _, s := range due {
			order = append(order, s.ID)
		}
		// s0 was not due before it was wanted.
		if !slices.Equal(order, []string{"s2", "s4", "s0"}) {
			t.Errorf("DueSources = %v, want the longest waiting first", order)
		}
		if d := cmp.Diff(declared(3).Sources[2], due[0].SourceRow); d != "" {
			t.Errorf("DueSources (-want +got):\n%s", d)
		}
		if due, err := db.DueSources(ctx, "run1", "host0.example", later, 2); len(due) != 2 || err != nil {
			t.Errorf("DueSources with limit 2 = %d, %v", len(due), err)
		}

		// A retry keeps the source in its run, a result takes it out.
		b := begin(t, db, "s2", later)
		must(t, db.FinishLook(ctx, catalog.Finish{Look: failed("s2", b.N, later, "timeout"), NextAt: later.Add(time.Minute), Attempt: 1, Retry: true}))
		b = begin(t, db, "s4", later)
		must(t, db.FinishLook(ctx, catalog.Finish{Look: failed("s4", b.N, later, "dns"), NextAt: later.Add(time.Minute), Attempt: 1}))
		dueNow, dueLater, next, err := db.Remaining(ctx, "run1", later)
		if dueNow != 3 || dueLater != 1 || !next.Equal(later.Add(time.Minute)) || err != nil {
			t.Errorf("Remaining = %d, %d, %v, %v, want 3, 1 in a minute", dueNow, dueLater, next, err)
		}
		if a, b, next, err := db.Remaining(ctx, "no such run", later); a+b != 0 || !next.IsZero() || err != nil {
			t.Errorf("Remaining of no run = %d, %d, %v, %v", a, b, next, err)
		}
		// s1 is the only one of the first run that was not taken over.
		if due, err := db.DueHosts(ctx, "due", later); err != nil || len(due) != 1 || due[0].Sources != 1 {
			t.Errorf("DueHosts of the first run = %+v, %v, want one source", due, err)
		}
		// A look of another run serves the run that wanted the source: it would wait for
		// the next visit otherwise.
		b = begin(t, db, "s1", later)
		must(t, db.FinishLook(ctx, catalog.Finish{Look: failed("s1", b.N, later, "dns"), NextAt: later}))
		if s := sourceState(t, db, "s1"); s.WantedRun != "" {
			t.Errorf("source still wanted by %q", s.WantedRun)
		}
		if n, err := db.Postpone(ctx, "run1", "", "s2", later.Add(time.Hour)); n != 1 || err != nil {
			t.Errorf("Postpone = %d, %v, want 1", n, err)
		}
		if s := sourceState(t, db, "s2"); s.WantedRun != "" || !s.NextAt.Equal(later.Add(time.Hour)) {
			t.Errorf("postponed source: wanted by %q, due %s", s.WantedRun, s.NextAt)
		}
		if unknown, err := db.UnknownServices(ctx, []string{"no such service"}); len(unknown) != 1 || err != nil {
			t.Errorf("UnknownServices = %q, %v", unknown, err)
		}
		b1 := begin(t, db, "s3", later)
		_, err = db.BeginLook(ctx, catalog.Begin{Source: "s3", Run: "other", At: later, Alone: true, ManifestID: func(int64) string { return "urn:uuid:alone" }})
		if !errors.Is(err, catalog.ErrLookBegun) {
			t.Errorf("BeginLook beside look %d = %v, want ErrLookBegun", b1.N, err)
		}
	})
}

func TestWantListed(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := openWith(t, dsn, catalog.Options{Now: func() time.Time { return noon }})
		declare(t, db, 1)
		set := declared(2)
		set.Sources[0].Host = "changed.example" // is declared: stays as declared
		for range 2 {
			must(t, db.WantListed(ctx, "run1", set, noon))
		}
		if s := sourceState(t, db, "s0"); s.Host != "host0.example" || !s.Declared || s.WantedRun != "run1" {
			t.Errorf("listed source that is declared = %+v, want unchanged and wanted", s)
		}
		if s := sourceState(t, db, "s1"); s.Declared || s.WantedRun != "run1" || !s.NextAt.Equal(noon) {
			t.Errorf("listed source = %+v, want undeclared and wanted now", s)
		}
		if due, _, _, err := db.Remaining(ctx, "run1", noon); due != 2 || err != nil {
			t.Errorf("Remaining = %d, %v, want 2", due, err)
		}
		if due, _, _, err := db.Remaining(ctx, "", noon); due != 1 || err != nil {
			t.Errorf("Remaining of all that is declared = %d, %v, want 1", due, err)
		}
		// The next reading of the declarations leaves it alone.
		stats, err := db.SyncDeclarations(ctx, nil, declared(1))
		if stats != (catalog.SyncStats{Sources: 1}) || err != nil {
			t.Errorf("SyncDeclarations = %+v, %v, want no change", stats, err)
		}
	})
}

func TestRuns(t *testing.T) {
	eachDatabase(t, func(t *testing.T, dsn string) {
		db := open(t, dsn)
		for i := range 3 {
			must(t, db.BeginRun(ctx, catalog.RunRow{ID: fmt.Sprint("run", i), Started: noon.Add(time.Duration(i)), Host: "höst", PID: 7, Args: "crawl --due"}))
		}
		for want := 1; want <= 2; want++ {
			if got, err := db.NextSerial(ctx, "run1"); got != want || err != nil {
				t.Errorf("NextSerial = %d, %v, want %d", got, err, want)
			}
		}
		must(t, db.EndRun(ctx, "run1", noon.Add(time.Hour), []byte(`{"captured":1}`)))
		if err := db.EndRun(ctx, "nowhere", noon, nil); err == nil {
			t.Error("EndRun of an unknown run succeeded")
		}
		if _, err := db.NextSerial(ctx, "a seal"); err != nil { // no run was begun
			t.Error(err)
		}
		got, err := db.Runs(ctx, 2)
		must(t, err)
		want := []catalog.RunRow{
			{ID: "run2", Started: noon.Add(2), Host: "höst", PID: 7, Args: "crawl --due"},
			{ID: "run1", Started: noon.Add(1), Ended: noon.Add(time.Hour), Host: "höst", PID: 7, Args: "crawl --due", Summary: []byte(`{"captured":1}`)},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("Runs (-want +got):\n%s", d)
		}
	})
}
