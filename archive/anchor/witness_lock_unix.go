//go:build unix

package anchor

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockWitnessFile takes the exclusive lock of an open file without waiting. It
// ends when the file is closed or the process ends, however that comes.
func lockWitnessFile(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return ErrWitnessBusy
		}
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
