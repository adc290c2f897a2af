package catalog

import (
	"crypto/sha256"
	"fmt"
)

// Sum stands for all that the row says but its index in the log. A row as it was
// entered and as it is read have the same; one that cannot be entered is an error.
func (m *MementoRow) Sum() (sum [sha256.Size]byte, err error) {
	args, err := m.args()
	if err != nil {
		return sum, err
	}
	return sha256.Sum256(fmt.Appendf(nil, "%q", args[:len(args)-1])), nil
}
