package declaration

import (
	"embed"
	"io/fs"
)

//go:embed starter/*.yaml
var starterFiles embed.FS

// Starter returns declarations of well-known services to begin with, one file
// per service at its top. Their addresses were not verified live.
func Starter() fs.FS {
	sub, err := fs.Sub(starterFiles, "starter")
	if err != nil {
		panic("declaration: starter folder is embedded: " + err.Error())
	}
	return sub
}
