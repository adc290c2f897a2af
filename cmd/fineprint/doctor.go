package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive"
	"github.com/fineprint-archive/fineprint/archive/catalog"
	"github.com/fineprint-archive/fineprint/archive/store"
	"github.com/fineprint-archive/fineprint/crawler/declaration"
)

// finding is a line of `doctor`.
type finding struct {
	Check  string `json:"check"`
	State  string `json:"state"` // ok, warning, error
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// updateRemedy is that of what a newer program made. It makes the exit code 2,
// as it is of every other command then.
const updateRemedy = "update fineprint"

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Probe storage, clock, keys and database; say what is missing and what that costs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.config()
			if err != nil {
				return err
			}
			return a.doctor(cmd.Context(), c)
		},
	}
}

func (a *app) doctor(ctx context.Context, c *config) error {
	var findings []finding
	for _, probe := range []func(context.Context, *config) []finding{
		a.probeConfig, a.probeStore, a.probeSpool, a.probeDatabase, a.probeDeclarations, a.probeClock, a.probeWayback, a.probeAnchors, a.probeTools,
	} {
		findings = append(findings, probe(ctx, c)...)
	}
	failed, code := 0, exitFailed
	for _, f := range findings {
		if f.State == "error" {
			failed++
		}
		if f.Remedy == updateRemedy {
			code = exitUsage
		}
		if a.json {
			if err := a.printJSON(f); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(a.stdout, "%-8s %-13s %s\n", f.State, f.Check, f.Detail)
		if f.Remedy != "" {
			fmt.Fprintf(a.stdout, "%-8s %-13s -> %s\n", "", "", f.Remedy)
		}
	}
	if a.json {
		if err := a.printJSON(map[string]int{"checks": len(findings), "errors": failed}); err != nil {
			return err
		}
	}
	if failed > 0 {
		return withCode(code, fmt.Errorf("%d checks failed", failed))
	}
	return nil
}

func (a *app) probeConfig(_ context.Context, c *config) []finding {
	f := finding{Check: "configuration", State: "ok", Detail: c.path}
	if c.path == "" {
		f = finding{"configuration", "warning", "none found, the built-in one is used", "fineprint init"}
	}
	out := []finding{f}
	if c.Contact == "" {
		out = append(out, finding{"contact", "error", "not set: nothing but loopback is visited", "set contact in the configuration or give --contact"})
	}
	return out
}

// selfTester is a store that can try on itself what we rely on.
type selfTester interface {
	SelfTest(ctx context.Context) (store.Report, error)
}

func (a *app) probeStore(ctx context.Context, c *config) []finding {
	objects, err := a.openStore(ctx, c)
	if err != nil {
		return []finding{{"archive", "error", err.Error(), "check archive: in the configuration"}}
	}
	if err := archive.CheckFormat(ctx, objects); errors.Is(err, archive.ErrNewer) {
		return []finding{{"archive", "error", err.Error(), updateRemedy}}
	} else if err != nil {
		return []finding{{"archive", "error", err.Error(), "check archive: in the configuration"}}
	}
	tester, ok := objects.(selfTester)
	if !ok {
		return nil
	}
	report, err := tester.SelfTest(ctx)
	if err != nil {
		return []finding{{"archive", "error", err.Error(), "check archive: in the configuration and its permissions"}}
	}
	var out []finding
	for _, check := range report.Checks {
		f := finding{"archive", "ok", check.Name + ": " + check.Found, check.Remedy}
		switch {
		case !check.OK && check.Required:
			f.State = "error"
		case !check.OK:
			f.State = "warning"
		}
		out = append(out, f)
	}
	return out
}

// probeTools looks for programs that are used where they are there.
func (a *app) probeTools(context.Context, *config) []finding {
	path, err := exec.LookPath("pdftotext")
	if err != nil {
		return []finding{{"pdftotext", "warning", "not found: the texts of PDF files are made by a weaker reader and labelled low-confidence", "install poppler-utils (poppler on macOS)"}}
	}
	return []finding{{"pdftotext", "ok", path, ""}}
}

func (a *app) probeSpool(_ context.Context, c *config) []finding {
	if err := os.MkdirAll(c.Spool, 0o755); err != nil {
		return []finding{{"spool", "error", err.Error(), "choose a writable folder (spool:)"}}
	}
	f, err := os.CreateTemp(c.Spool, ".doctor-*")
	if err == nil {
		err = errors.Join(f.Sync(), f.Close(), os.Remove(f.Name()))
	}
	if err != nil {
		return []finding{{"spool", "error", err.Error(), "choose a writable folder on a local disk (spool:)"}}
	}
	waiting, err := filepath.Glob(filepath.Join(c.Spool, "*.warc.gz*"))
	if err == nil && len(waiting) > 0 {
		return []finding{{"spool", "warning", fmt.Sprintf("%d WARCs wait in %s", len(waiting), c.Spool), "fineprint seal"}}
	}
	return []finding{{Check: "spool", State: "ok", Detail: c.Spool}}
}

func (a *app) probeDatabase(ctx context.Context, c *config) []finding {
	if c.noCatalog() {
		return a.probeNoCatalog(c)
	}
	db, err := a.openCatalog(ctx, c)
	if _, newer := errors.AsType[*catalog.SchemaError](err); newer {
		return []finding{{"database", "error", err.Error(), updateRemedy}}
	}
	if err != nil {
		return []finding{{"database", "error", err.Error(), "check database: in the configuration; a lost one is made again by `fineprint rebuild`"}}
	}
	f := finding{Check: "database", State: "ok", Detail: db.Dialect() + " " + db.Name()}
	unfinished, err := db.Rebuilding(ctx)
	if unfinished {
		f = finding{"database", "error", "a rebuild of " + db.Name() + " runs or did not come to its end", "fineprint rebuild"}
	}
	out := append([]finding{f}, probeSpools(ctx, c, db)...)
	if err := errors.Join(err, db.Close()); err != nil {
		out[0] = finding{"database", "error", err.Error(), ""}
	}
	return out
}

// probeNoCatalog says that there is no catalog yet and whether one can be made;
// making it is not doctor's to do.
func (a *app) probeNoCatalog(c *config) []finding {
	folder := filepath.Dir(c.Database)
	err := os.MkdirAll(folder, 0o755)
	if err == nil {
		var f *os.File
		if f, err = os.CreateTemp(folder, ".doctor-*"); err == nil {
			err = errors.Join(f.Close(), os.Remove(f.Name()))
		}
	}
	if err != nil {
		return []finding{{"database", "error", err.Error(), "choose a writable place (database:)"}}
	}
	return []finding{{"database", "ok", "none yet: " + c.Database, "fineprint crawl makes it; if the archive is filled, fineprint rebuild"}}
}

func (a *app) probeDeclarations(ctx context.Context, c *config) []finding {
	if len(c.Declarations) == 0 {
		return []finding{{"declarations", "warning", "none configured", "fineprint init writes some"}}
	}
	set, err := declaration.Load(ctx, c.Declarations, declaration.Options{Vantage: c.Crawl.Vantage})
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return []finding{{"declarations", "error", first, "fineprint check lists every problem"}}
	}
	detail := fmt.Sprintf("%d services, %d documents, %d sources", set.Services, len(set.Documents), len(set.Sources))
	if n := len(set.Problems); n > 0 {
		return []finding{{"declarations", "warning", fmt.Sprintf("%s, %d warnings", detail, n), "fineprint check"}}
	}
	return []finding{{Check: "declarations", State: "ok", Detail: detail}}
}

// probeClock catches what a wrong clock would do to every record: a time before
// this program was made.
func (a *app) probeClock(context.Context, *config) []finding {
	now := time.Now().UTC()
	if made := buildTime(); now.Before(made) {
		return []finding{{"clock", "error", fmt.Sprintf("it is %s here, before this program was made (%s)", now.Format(time.RFC3339), made.Format(time.DateOnly)), "set the clock and run a time service"}}
	}
	return []finding{{Check: "clock", State: "ok", Detail: now.Format(time.RFC3339)}}
}

func (a *app) probeWayback(_ context.Context, c *config) []finding {
	if off := waybackOff(c); off != "" {
		return []finding{{"wayback", "warning", "off: " + off, "without it nobody else holds a copy of what you saw"}}
	}
	_, origin, err := waybackKeys(c)
	if err != nil {
		return []finding{{"wayback", "error", err.Error(), ""}}
	}
	return []finding{{Check: "wayback", State: "ok", Detail: "keys from " + origin}}
}

// buildTime is the time of the revision that this program was built from, zero
// if it is not known.
func buildTime() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.time" {
			t, err := time.Parse(time.RFC3339, setting.Value)
			if err != nil {
				return time.Time{}
			}
			return t
		}
	}
	return time.Time{}
}
