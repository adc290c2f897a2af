package main

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/fineprint-archive/fineprint/archive/wayback"
	"github.com/fineprint-archive/fineprint/crawler"
	"github.com/fineprint-archive/fineprint/warc"
)

// config is fineprint.yaml. Flags and FINEPRINT_* variables override it; paths
// are relative to the file. Unknown keys are errors.
type config struct {
	Archive      string   `yaml:"archive"`      // folder, or s3://bucket/prefix?endpoint=…&region=…
	Spool        string   `yaml:"spool"`        // folder on a local disk; default beside the archive
	Database     string   `yaml:"database"`     // SQLite file or postgres://…; default beside the archive
	Declarations []string `yaml:"declarations"` // files or folders
	Operator     string   `yaml:"operator"`     // who runs this archive
	Contact      string   `yaml:"contact"`      // address or page in the User-Agent; required to visit anything but loopback

	Crawl   crawlConfig   `yaml:"crawl"`
	Seal    sealConfig    `yaml:"seal"`
	Store   storeConfig   `yaml:"store"`
	Wayback waybackConfig `yaml:"wayback"`
	Log     logConfig     `yaml:"log"`
	Anchors anchorsConfig `yaml:"anchors"`
	Changes changesConfig `yaml:"changes"`

	path  string // of the file; "" for the built-in configuration
	agent string // the User-Agent
	base  string // folder that relative paths start from
}

type crawlConfig struct {
	Every                duration `yaml:"every"`                  // between two looks at a source
	FullEvery            duration `yaml:"full_every"`             // a full fetch at least this often where a server answers 304
	Delay                duration `yaml:"delay"`                  // between two requests to one host
	Concurrency          int      `yaml:"concurrency"`            // hosts visited at once
	Timeout              duration `yaml:"timeout"`                // of one exchange
	MaxBody              byteSize `yaml:"max_body"`               // of one response
	Requisites           bool     `yaml:"requisites"`             // stylesheets, images and fonts of changed pages
	Robots               string   `yaml:"robots"`                 // obey; exceptions are declared per source, with a reason
	Proxy                string   `yaml:"proxy"`                  // http://, https:// or socks5://
	CAFile               string   `yaml:"ca_file"`                // extra certificate authorities, PEM
	Vantage              string   `yaml:"vantage"`                // label of the place we look from
	AllowPrivateNetworks bool     `yaml:"allow_private_networks"` // visit private and loopback addresses
	UserAgentSuffix      string   `yaml:"user_agent_suffix"`      // appended to the truthful User-Agent
	RetryDelay           duration `yaml:"retry_delay"`            // before the second look after a passing failure; four times that before the third
}

type sealConfig struct {
	Every    duration `yaml:"every"`
	MaxBytes byteSize `yaml:"max_bytes"`
}

type storeConfig struct {
	ObjectLockDays int `yaml:"object_lock_days"` // retention of WARCs in S3
}

type waybackConfig struct {
	Enabled          bool     `yaml:"enabled"`
	AccessKey        string   `yaml:"access_key"` // better: the environment or the file of the `ia` tool
	SecretKey        string   `yaml:"secret_key"`
	BaseURL          string   `yaml:"base_url"`    // Save Page Now
	ArchiveURL       string   `yaml:"archive_url"` // archive.org
	S3URL            string   `yaml:"s3_url"`      // item uploads
	SubmitsPerMinute int      `yaml:"submits_per_minute"`
	DailyCaptures    int      `yaml:"daily_captures"`  // the most submissions of a day (UTC); 0: as many as the account has
	UnchangedEvery   duration `yaml:"unchanged_every"` // a page that says the same is submitted that often; 0: never
	Screenshot       bool     `yaml:"screenshot"`
	Item             string   `yaml:"item"`       // prefix of the names of items at archive.org; "": nothing is uploaded
	Collection       string   `yaml:"collection"` // of archive.org, for them
	TimeScale        float64  `yaml:"time_scale"` // tests only: waits are divided by it

	noKeys bool // those that there may be are not used
}

type logConfig struct {
	Origin  string `yaml:"origin"`   // name of the log, fixed when it begins; default: made up
	KeyFile string `yaml:"key_file"` // private key; default beside the archive
	Public  string `yaml:"public"`   // public key, where the private one is not: to audit and rebuild
	Place   string `yaml:"place"`    // where the archive is, constant over restarts; default: its address, of a folder with the host name
}

type changesConfig struct {
	ConfirmAfter duration `yaml:"confirm_after"` // a page whose text is new or suspect is due again after this time
	Watch        []string `yaml:"watch"`         // phrases that mark a change; default: words about training AI
}

// defaultConfig is what an empty file means.
func defaultConfig() config {
	return config{
		Archive: "archive",
		Crawl: crawlConfig{
			Every: duration(24 * time.Hour), FullEvery: duration(7 * 24 * time.Hour), Delay: duration(5 * time.Second),
			Concurrency: 16, Timeout: duration(time.Minute), MaxBody: 2 << 30, Requisites: true, Robots: "obey",
			RetryDelay: duration(10 * time.Second),
		},
		Seal: sealConfig{Every: duration(10 * time.Minute), MaxBytes: 256 << 20},
		Wayback: waybackConfig{
			Enabled: true, BaseURL: "https://web.archive.org", ArchiveURL: "https://archive.org", S3URL: "https://s3.us.archive.org",
			Collection: "opensource", SubmitsPerMinute: 6, UnchangedEvery: duration(30 * 24 * time.Hour), TimeScale: 1,
		},
		Anchors: anchorsConfig{Timeout: duration(time.Minute)},
		Changes: changesConfig{ConfirmAfter: duration(20 * time.Minute)},
	}
}

// loadConfig reads the configuration: the named file, or the one that
// findConfig finds; then FINEPRINT_* variables, then --set flags.
func loadConfig(name string, sets []string, environ []string) (*config, error) {
	c := defaultConfig()
	if name != "" {
		if err := c.readFile(name); err != nil {
			return nil, err
		}
	} else {
		c.base = "."
	}
	if err := c.applyEnviron(environ); err != nil {
		return nil, err
	}
	for _, set := range sets {
		key, value, ok := strings.Cut(set, "=")
		if !ok {
			return nil, usageErrorf("--set %q is not KEY=VALUE", set)
		}
		if err := c.set(key, value); err != nil {
			return nil, usageErrorf("--set %s: %w", key, err)
		}
	}
	if err := c.resolve(); err != nil {
		return nil, err
	}
	return &c, nil
}

func (c *config) readFile(name string) error {
	data, err := readBounded(name, 4<<20)
	if err != nil {
		return usageErrorf("configuration: %w", err)
	}
	c.path, c.base = name, filepath.Dir(name)
	return parseConfig(data, name, c)
}

// parseConfig reads YAML over the defaults in c.
func parseConfig(data []byte, name string, c *config) error {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return usageErrorf("configuration %s: %s; see `fineprint init --help` for the keys", name, yamlMessage(err))
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return usageErrorf("configuration %s: more than one YAML document", name)
	}
	return nil
}

// yamlMessage words the decoder's errors for an operator.
func yamlMessage(err error) string {
	if typed, ok := errors.AsType[*yaml.TypeError](err); ok {
		lines := make([]string, len(typed.Errors))
		for i, line := range typed.Errors {
			line = strings.ReplaceAll(line, "not found in type main.", "is not a known key of ")
			lines[i] = strings.NewReplacer("field ", "", "crawlConfig", "crawl", "sealConfig", "seal", "storeConfig", "store", "waybackConfig", "wayback", "logConfig", "log", "anchorsConfig", "anchors", "tsaConfig", "anchors.tsa", "changesConfig", "changes", "of config", "of the configuration").Replace(line)
		}
		return strings.Join(lines, "; ")
	}
	return strings.TrimPrefix(err.Error(), "yaml: ")
}

// applyEnviron sets every key that has a FINEPRINT_* variable: crawl.max_body
// is FINEPRINT_CRAWL_MAX_BODY.
func (c *config) applyEnviron(environ []string) error {
	keys := map[string]string{}
	for _, key := range configKeys() {
		keys["FINEPRINT_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))] = key
	}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		key, known := keys[name]
		if !known {
			continue
		}
		if err := c.set(key, value); err != nil {
			return usageErrorf("environment variable %s: %w", name, err)
		}
	}
	return nil
}

// configKeys lists every key in dotted form.
func configKeys() []string {
	var keys []string
	var walk func(t reflect.Type, prefix string)
	walk = func(t reflect.Type, prefix string) {
		for i := range t.NumField() {
			f := t.Field(i)
			name := f.Tag.Get("yaml")
			if name == "" {
				continue
			}
			if f.Type.Kind() == reflect.Struct {
				walk(f.Type, prefix+name+".")
				continue
			}
			keys = append(keys, prefix+name)
		}
	}
	walk(reflect.TypeFor[config](), "")
	return keys
}

// set gives a key its value from text.
func (c *config) set(key, value string) error {
	v := reflect.ValueOf(c).Elem()
	for part := range strings.SplitSeq(key, ".") {
		v = fieldByTag(v, part)
		if !v.IsValid() {
			return fmt.Errorf("%q is not a key of the configuration", key)
		}
	}
	if target, ok := v.Addr().Interface().(interface{ UnmarshalText([]byte) error }); ok {
		return target.UnmarshalText([]byte(value))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(value)
	case reflect.Bool:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", value)
		}
		v.SetBool(b)
	case reflect.Int:
		n, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("%q is no whole number", value)
		}
		v.SetInt(int64(n))
	case reflect.Float64:
		f, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("%q is no number", value)
		}
		v.SetFloat(f)
	case reflect.Slice:
		v.Set(reflect.ValueOf(strings.Split(value, ",")))
	default:
		return fmt.Errorf("%q is a section", key)
	}
	return nil
}

func fieldByTag(v reflect.Value, tag string) reflect.Value {
	if v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("yaml") == tag && tag != "" {
			return v.Field(i)
		}
	}
	return reflect.Value{}
}

// resolve checks values and makes paths absolute.
func (c *config) resolve() error {
	if c.Archive == "" {
		return usageErrorf("configuration: archive is empty; name a folder or s3://bucket")
	}
	remote := strings.HasPrefix(c.Archive, "s3://")
	if strings.Contains(c.Archive, "://") && !remote {
		return usageErrorf("configuration: archive %q is neither a folder nor an s3:// address", c.Archive)
	}
	if strings.Contains(c.Database, "://") && !isPostgres(c.Database) {
		return usageErrorf("configuration: database is neither a file nor a postgres:// address")
	}
	if !remote {
		c.Archive = c.abs(c.Archive)
	}
	beside := c.abs(".")
	if !remote {
		beside = filepath.Dir(c.Archive)
	}
	switch {
	case c.Spool == "":
		c.Spool = filepath.Join(beside, "spool")
	default:
		c.Spool = c.abs(c.Spool)
	}
	switch {
	case c.Database == "":
		c.Database = filepath.Join(beside, "catalog.sqlite")
	case !isPostgres(c.Database):
		c.Database = c.abs(c.Database)
	}
	if c.Log.KeyFile == "" {
		c.Log.KeyFile = "log.key"
		if !remote {
			c.Log.KeyFile = filepath.Join(beside, "log.key")
		}
	}
	c.Log.KeyFile = c.abs(c.Log.KeyFile)
	for i, d := range c.Declarations {
		c.Declarations[i] = c.abs(d)
	}
	if c.Crawl.CAFile != "" {
		c.Crawl.CAFile = c.abs(c.Crawl.CAFile)
	}
	if c.Crawl.Concurrency < 1 || c.Crawl.Concurrency > 1000 {
		return usageErrorf("configuration: crawl.concurrency is %d; choose 1 to 1000", c.Crawl.Concurrency)
	}
	if c.Crawl.Robots != "obey" {
		return usageErrorf("configuration: crawl.robots is %q; robots.txt is obeyed by default, and a source is excepted by `robots: ignore` with a `reason:` in its declaration", c.Crawl.Robots)
	}
	if c.Crawl.Delay < 0 || c.Crawl.Every <= 0 || c.Crawl.Timeout <= 0 || c.Crawl.RetryDelay <= 0 {
		return usageErrorf("configuration: crawl.every, crawl.timeout and crawl.retry_delay are above zero, crawl.delay is not below")
	}
	if c.Crawl.FullEvery < 0 || c.Store.ObjectLockDays < 0 || c.Wayback.SubmitsPerMinute < 1 || c.Wayback.DailyCaptures < 0 || c.Wayback.UnchangedEvery < 0 || !(c.Wayback.TimeScale > 0) {
		return usageErrorf("configuration: crawl.full_every, store.object_lock_days and wayback.{daily_captures,unchanged_every} are not below zero, wayback.submits_per_minute and wayback.time_scale are above")
	}
	if c.Wayback.Item != "" {
		if _, err := wayback.ItemName(c.Wayback.Item, time.Now(), true); err != nil {
			return usageErrorf("configuration: %w", err)
		}
		if err := wayback.CheckCollection(c.Wayback.Collection); err != nil {
			return usageErrorf("configuration: %w", err)
		}
	}
	if c.Crawl.MaxBody < 1<<10 || c.Seal.MaxBytes < 1<<10 {
		return usageErrorf("configuration: crawl.max_body and seal.max_bytes are at least 1 KiB")
	}
	if err := c.resolveAnchors(); err != nil {
		return err
	}
	agent, err := crawler.UserAgentOf(crawler.Config{Version: version, Contact: c.Contact, Operator: c.Operator, UserAgentSuffix: c.Crawl.UserAgentSuffix})
	if err != nil {
		return usageErrorf("configuration: %w", err)
	}
	if c.Contact != "" && !isContact(c.Contact) {
		return usageErrorf("contact %q: give an e-mail address or the https:// address of a page, where sites reach whoever crawls them", c.Contact)
	}
	c.agent = agent
	return nil
}

// isContact tells whether s is an e-mail address or that of a page.
func isContact(s string) bool {
	if u, err := url.Parse(s); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		return u.Host != ""
	}
	address, err := mail.ParseAddress(s)
	return err == nil && address.Address == s
}

func (c *config) abs(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	full, err := filepath.Abs(filepath.Join(c.base, name))
	if err != nil {
		return filepath.Join(c.base, name) // no working directory: keep what was asked for
	}
	return full
}

func isPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

// digest stands for the settings of a run in its WARCs. What may hold a secret is
// left out: keys, database, the addresses of anchors, and the proxy's credentials.
func (c *config) digest() warc.Digest {
	open := *c
	open.Wayback.AccessKey, open.Wayback.SecretKey, open.Database, open.Anchors = "", "", "", anchorsConfig{}
	if u, err := url.Parse(open.Crawl.Proxy); err == nil {
		u.User = nil
		open.Crawl.Proxy = u.String()
	}
	text, err := yaml.Marshal(&open)
	if err != nil {
		panic(fmt.Sprintf("encode configuration: %v", err)) // plain values only
	}
	return warc.SumSHA256(text)
}

// findConfig returns the configuration file to use without --config, or "".
func findConfig(dir string) string {
	for _, name := range []string{"fineprint.yaml", filepath.Join("fineprint-data", "fineprint.yaml")} {
		name = filepath.Join(dir, name)
		if _, err := os.Stat(name); err == nil {
			return name
		}
	}
	return ""
}

func readBounded(name string, limit int64) (_ []byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return data, err
}

// duration is a time.Duration that YAML and variables write as "90s", "12h" or "7d".
type duration time.Duration

// UnmarshalYAML reads the scalar and names its line in errors.
func (d *duration) UnmarshalYAML(node *yaml.Node) error { return unmarshalScalar(node, d) }

// unmarshalScalar makes an error of a value one that the decoder gathers with
// those of other lines.
func unmarshalScalar(node *yaml.Node, v encoding.TextUnmarshaler) error {
	if err := v.UnmarshalText([]byte(node.Value)); err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %v", node.Line, err)}}
	}
	return nil
}

// UnmarshalText reads "90s", "12h" or "7d".
func (d *duration) UnmarshalText(b []byte) error {
	s := string(b)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 36500 {
			return fmt.Errorf("%q is no duration; write 90s, 12h or 7d", s)
		}
		*d = duration(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is no duration; write 90s, 12h or 7d", s)
	}
	*d = duration(v)
	return nil
}

// byteSize is a number of bytes that YAML and variables write as "64MiB" or plain.
type byteSize int64

// UnmarshalYAML reads the scalar and names its line in errors.
func (b *byteSize) UnmarshalYAML(node *yaml.Node) error { return unmarshalScalar(node, b) }

// UnmarshalText reads a number of bytes with or without a unit.
func (b *byteSize) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	factor := int64(1)
	for _, unit := range []struct {
		suffix string
		factor int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}} {
		if number, ok := strings.CutSuffix(s, unit.suffix); ok {
			s, factor = strings.TrimSpace(number), unit.factor
			break
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/factor {
		return fmt.Errorf("%q is no size; write 64MiB or a number of bytes", text)
	}
	*b = byteSize(n * factor)
	return nil
}
