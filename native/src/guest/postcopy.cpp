#include "guest/postcopy.hpp"

#include <algorithm>
#include <utility>

namespace pollwire {

Result<Fd> Postcopy::advise() {
  end();
  auto opened = Userfault::open();
  if (!opened) return opened.status();
  auto copy = duplicateFd(opened->fd());
  if (!copy) return copy.status();
  userfault_.emplace(std::move(*opened));
  return std::move(*copy);
}

Status Postcopy::listen(const RegionTable& present) {
  if (!userfault_) return Status(StatusCode::kBadState, "postcopy has not been advised");
  if (!present.empty())
    return Status(StatusCode::kBadState, "postcopy begins before the memory table, and there is one already");
  listening_ = true;
  return {};
}

Status Postcopy::ready(const RegionTable& table) {
  if (!listening_) return Status(StatusCode::kBadState, "postcopy does not listen");
  for (const auto& region : table.regions()) {
    if (std::find(watched_.begin(), watched_.end(), region) != watched_.end()) continue;
    PW_RETURN_IF_ERROR(userfault_->watch(region->pages(), region->pagesLength()));
    watched_.push_back(region);
  }
  return {};
}

void Postcopy::end() noexcept {
  for (const auto& region : watched_) userfault_->release(region->pages(), region->pagesLength());
  watched_.clear();
  listening_ = false;
  userfault_.reset();
}

}  // namespace pollwire
