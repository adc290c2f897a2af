//go:build !unix

package anchor

import (
	"errors"
	"os"
)

// lockWitnessFile: a witness that cannot exclude a second one must not run.
func lockWitnessFile(*os.File) error {
	return errors.New("a witness runs on Unix systems only: file locks are needed")
}
