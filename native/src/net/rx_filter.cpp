#include "net/rx_filter.hpp"

#include <string>

namespace pollwire {

Result<RxFilter> RxFilter::make(const RxFilterSettings& settings) {
  if (settings.addresses.size() > kMaxAddresses) {
    return Status(StatusCode::kOutOfRange, "receive filter with " +
                                               std::to_string(settings.addresses.size()) +
                                               " addresses; it holds " + std::to_string(kMaxAddresses));
  }
  RxFilter filter;
  filter.promiscuous_ = settings.promiscuous;
  filter.allMulticast_ = settings.allMulticast;
  filter.filterVlans_ = settings.filterVlans;
  filter.vlans_ = settings.vlans;
  for (const MacAddress& address : settings.addresses) filter.insert(keyAt(address.bytes.data()));
  if (!settings.addresses.empty()) filter.own_ = keyAt(settings.addresses.front().bytes.data());
  return filter;
}

void RxFilter::insert(std::uint64_t key) noexcept {
  std::uint32_t at = placeOf(key);
  while (places_[at] != 0 && places_[at] != key) at = (at + 1) % kPlaces;
  places_[at] = key;
}

}  // namespace pollwire
