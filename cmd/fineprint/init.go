package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	_ "embed"

	"github.com/spf13/cobra"

	"github.com/fineprint-archive/fineprint/crawler/declaration"
)

//go:embed fineprint.yaml
var configTemplate []byte

// dataFolder is made by a first crawl without a configuration.
const dataFolder = "fineprint-data"

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a commented configuration and starter declarations",
		Long: `Write fineprint.yaml, with every key and its default, and declarations of
well-known services into DIR (default: the current folder). Nothing that is
there is overwritten. The starter declarations are not verified live: run
fineprint check --fetch before relying on one.`,
		Example: "  fineprint init archive-of-mine --contact you@example.org",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			files, err := initFolder(dir, a.contact)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{"dir": dir, "declarations": files})
			}
			name := filepath.Join(dir, "fineprint.yaml")
			next := "next: "
			if a.contact == "" {
				next += "set contact in it, then: "
			}
			_, err = fmt.Fprintf(a.stdout, "wrote %s and %d starter declarations\n%sfineprint --config %s crawl\n", name, files, next, name)
			return err
		},
	}
}

// configOrInit loads the configuration; where there is none it makes
// ./fineprint-data first.
func (a *app) configOrInit() (*config, error) {
	if a.configFile == "" && findConfig(".") == "" {
		files, err := initFolder(dataFolder, a.contact)
		if err != nil {
			return nil, err
		}
		a.talk("no configuration found: made %s with %d starter declarations", dataFolder, files)
	}
	return a.config()
}

// initFolder writes the configuration and the starter declarations.
func initFolder(dir, contact string) (files int, err error) {
	name := filepath.Join(dir, "fineprint.yaml")
	if _, err := os.Stat(name); err == nil {
		return 0, usageErrorf("%s exists; nothing was written", name)
	}
	if contact != "" && !isContact(contact) {
		return 0, usageErrorf("--contact %q: give an e-mail address or the https:// address of a page", contact)
	}
	target := filepath.Join(dir, "declarations")
	if err := os.MkdirAll(target, 0o755); err != nil {
		return 0, fmt.Errorf("init: %w; choose a writable folder", err)
	}
	starter := declaration.Starter()
	err = fs.WalkDir(starter, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(starter, path)
		if err != nil {
			return err
		}
		files++
		return writeNew(filepath.Join(target, filepath.Base(path)), data)
	})
	if err != nil {
		return files, fmt.Errorf("init: %w", err)
	}
	text := configTemplate
	if contact != "" {
		text = bytes.Replace(text, []byte("#contact: you@example.org"), fmt.Appendf(nil, "contact: %q", contact), 1)
	}
	// The configuration last: its presence says that the folder is complete.
	if err := writeNew(name, text); err != nil {
		return files, fmt.Errorf("init: %w", err)
	}
	return files, nil
}

// writeNew writes a file that must not exist; an equal one is fine.
func writeNew(name string, data []byte) (err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		have, readErr := os.ReadFile(name)
		if readErr == nil && bytes.Equal(have, data) {
			return nil
		}
		return fmt.Errorf("%w; move it away first", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}
