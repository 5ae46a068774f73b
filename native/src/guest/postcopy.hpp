// Guest memory that arrives while the guest runs here already (postcopy migration): a userfaultfd whose other
// end the front-end serves, and the regions that it watches. Owned by a vhost device; control plane only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "guest/regions.hpp"
#include "sys/userfault.hpp"

namespace pollwire {

class Postcopy {
 public:
  Postcopy() = default;
  ~Postcopy() { end(); }
  Postcopy(const Postcopy&) = delete;
  Postcopy& operator=(const Postcopy&) = delete;

  // Opens the userfaultfd; its descriptor, duplicated, for the front-end.
  Result<Fd> advise();
  // Memory that is mapped from now on is watched once the front-end is ready. Refused while `present` has
  // regions: pages of theirs may be there already.
  Status listen(const RegionTable& present);
  bool listening() const noexcept { return listening_; }
  // The front-end serves faults: watches every region of the table that is not watched yet.
  Status ready(const RegionTable& table);
  // Pages may be absent: who touches one sleeps until it comes.
  bool active() const noexcept { return !watched_.empty(); }
  // All pages are here, or nobody will bring them any more: wakes every sleeper and closes the descriptor.
  void end() noexcept;

 private:
  std::optional<Userfault> userfault_;
  bool listening_ = false;
  RegionTable::List watched_;
};

}  // namespace pollwire
