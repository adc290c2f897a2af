package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/archive/wayback/waybacktest"
	"github.com/fineprint-archive/fineprint/cmd/fineprint/demoweb"
)

func (a *app) demoCommand() *cobra.Command {
	var dir string
	var noServe bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "The whole pipeline in a minute, offline, on a small invented web",
		Long: `Crawl a bundled web of an invented service at three moments: before a change
of its terms, when old and new terms stand on one page, and after. Every part
is the real one, only the web, the Wayback Machine and the timestamp
authorities are stand-ins on loopback. Ends with audit, rebuild and verify of
its own output.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context(), dir) },
	}
	cmd.Flags().StringVar(&dir, "dir", "", "keep the archive and its fineprint.yaml in `DIR` (default: a new folder under the temporary one)")
	cmd.Flags().BoolVar(&noServe, "no-serve", false, "end when done (there is no web face yet to serve)")
	return cmd
}

func (a *app) demo(ctx context.Context, dir string) (err error) {
	if dir == "" {
		if dir, err = os.MkdirTemp("", "fineprint-demo-"); err != nil {
			return err
		}
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	web, err := demoweb.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, web.Close()) }()
	saver := waybacktest.New(waybacktest.Config{
		Access: demoAccess, Secret: demoSecret, TimeScale: demoTimeScale, FetchPage: waybacktest.FetchFrom(nil), IndexLag: -1, ReplayLag: -1,
	})
	saveURL, stop, err := saver.Start(ctx)
	if err != nil {
		return err
	}
	defer stop()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	parties, anchors, err := startParties(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parties.close()) }()
	if err := writeDemo(dir, web, saveURL, anchors); err != nil {
		return err
	}
	config := filepath.Join(dir, "fineprint.yaml")
	a.say("An invented photo service changes its terms. The archive is in %s\n", dir)
	for _, step := range demoweb.Story() {
		web.Site.Set(step.Moment)
		a.say("== %s: %s\n%s\n", step.Moment.Time().Format(time.DateOnly), step.Title, step.Text)
		// A crawl with failed pages ends with 3: the demo has some on purpose.
		if err := a.demoStep(ctx, "--config", config, "crawl", "--confirm-after", "0s"); err != nil && exitCode(err) != exitPartly {
			return err
		}
		if err := a.demoQuiet(ctx, "--config", config, "wayback", "submit"); err != nil {
			return err
		}
		a.say("")
		if step.Moment == demoweb.Announced {
			a.say("== That change as a redline: new terms beside the old ones that they were made from\n")
			if err := a.demoStep(ctx, "--config", config, "diff", demoEnglish, "--context", "0"); err != nil {
				return err
			}
			a.say("")
		}
	}
	if err := a.demoChanges(ctx, config); err != nil {
		return err
	}
	a.say("\n== Each text that was new went to the Wayback Machine (a stand-in); its captures are read back and compared\n")
	if err := a.demoStep(ctx, "--config", config, "wayback", "submit"); err != nil {
		return err
	}
	return a.demoProof(ctx, dir, config)
}

// demoChanges shows what changed.
func (a *app) demoChanges(ctx context.Context, config string) error {
	for _, step := range []struct {
		title string
		args  []string
	}{
		{"What changed, in both languages", []string{"changes", "--by-terms"}},
		{"When did these words first appear?", []string{"search", "人工智能"}},
	} {
		a.say("== %s\n", step.title)
		if err := a.demoStep(ctx, append([]string{"--config", config}, step.args...)...); err != nil {
			return err
		}
		a.say("")
	}
	return nil
}

// demoProof checks the demo's own output the way a stranger would.
func (a *app) demoProof(ctx context.Context, dir, config string) error {
	a.say("\n== The whole archive is checked against its log\n")
	if err := a.demoStep(ctx, "--config", config, "audit"); err != nil {
		return err
	}
	if err := a.demoEvidence(ctx, dir, config, demoTerms); err != nil {
		return err
	}
	a.say("\n== The catalog is made again from the WARCs alone\n")
	if err := a.demoStep(ctx, "--config", config, "rebuild", "--database", filepath.Join(dir, "rebuilt.sqlite")); err != nil {
		return err
	}
	a.say("\n== Every WARC is verified: structure, digests, manifests\n")
	var files []string
	err := filepath.WalkDir(filepath.Join(dir, "archive", "warc"), func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".warc.gz") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := a.demoStep(ctx, "verify", file); err != nil {
			return err
		}
	}
	a.say(`
Look around:
  %[1]s
  fineprint --config %[2]s changes --all
  fineprint --config %[2]s captures
  fineprint --config %[2]s captures --failed
  fineprint --config %[2]s export wacz --lang zh-CN --terms "Terms of Service" -o terms.wacz   (opens in ReplayWeb.page)
  unzip -l %[4]s   (README.txt first; verify.sh needs openssl and sha256sum only)
  zcat %[3]s | less
Then watch real pages:
  fineprint crawl --contact you@example.org`, dir, config, files[0], demoBundle(dir))
	return nil
}

// demoStep runs a command of the program itself, in this process, without the
// caller's FINEPRINT_ variables: the demo touches nothing but its own folder.
func (a *app) demoStep(ctx context.Context, args ...string) error {
	step := &app{stdin: a.stdin, stdout: a.stdout, stderr: a.stderr, json: a.json, quiet: a.quiet, environ: []string{}}
	root := step.root()
	if a.json {
		args = append(args, "--json")
	}
	if a.quiet {
		args = append(args, "--quiet")
	}
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// demoQuiet runs a command whose results are not shown.
func (a *app) demoQuiet(ctx context.Context, args ...string) error {
	return (&app{stdin: a.stdin, stdout: io.Discard, stderr: a.stderr, quiet: true, json: false}).demoStep(ctx, args...)
}

// say tells the story: on standard output, or on standard error with --json.
func (a *app) say(format string, args ...any) {
	out := a.stdout
	if a.json {
		out = a.stderr
	}
	fmt.Fprintf(out, format+"\n", args...)
}

// demoEnglish is the document whose redline the demo shows.
const demoEnglish = "plumvane/terms-of-service/en"

// demoTerms is the document that the demo's bundle is about.
const demoTerms = "plumvane/terms-of-service/zh-cn"

// demoAccess and demoSecret are the account at the stand-in.
const demoAccess, demoSecret = "demo-access-key", "demo-secret-key"

// demoTimeScale lets the weeks between the demo's moments pass in seconds, for
// everything that concerns the Wayback Machine.
const demoTimeScale = 200_000

// writeDemo writes the configuration and declarations of the demo.
func writeDemo(dir string, web *demoweb.Web, saveURL, anchors string) error {
	declarations := filepath.Join(dir, "declarations")
	if err := os.MkdirAll(declarations, 0o755); err != nil {
		return err
	}
	if err := writeNew(filepath.Join(declarations, "demo.yaml"), web.Declarations()); err != nil {
		return err
	}
	text := fmt.Sprintf(`# Made by fineprint demo. The web that it crawled is gone when the demo ends.
archive: archive
declarations: [declarations]
operator: fineprint demo
contact: demo@example.org
crawl:
  delay: 100ms
  retry_delay: 200ms
  timeout: 10s
  allow_private_networks: true
wayback:
  base_url: %s
  access_key: %s
  secret_key: %s
  time_scale: %d
%s`, saveURL, demoAccess, demoSecret, demoTimeScale, anchors)
	return writeNew(filepath.Join(dir, "fineprint.yaml"), []byte(text))
}
