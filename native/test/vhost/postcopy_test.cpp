// A guest that runs before its memory has come: only bursts touch it, a burst waits for its page, and nobody
// waits for one that never comes. The test serves the faults, as the front-end would.
// Row A70 of docs/vhost.md.
#include "guest/postcopy.hpp"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <thread>

#include "support/packed_guest_ring.hpp"
#include "support/vhost_test.hpp"

namespace pollwire::test {
namespace {

constexpr std::uint64_t kSize = 2u << 20;

// What a front-end keeps of a guest that is on its way: all of its memory, none of it here.
class Arriving {
 public:
  explicit Arriving(const GuestMemory& memory) : memory_(memory), source_(memory.snapshot()) {
    EXPECT_EQ(::fallocate(memory.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                          static_cast<off_t>(source_.size())),
              0);
  }

  // As the messages ADVISE, LISTEN, SET_MEM_TABLE and its confirmation.
  void arriveAt(vhost::Device& device) {
    auto fd = device.postcopyAdvise();
    ASSERT_TRUE(fd.ok()) << fd.status().detail();
    fd_ = std::move(*fd);
    ASSERT_TRUE(device.postcopyListen().ok());
    ASSERT_TRUE(device.setMemory(memory_.specs(), memory_.fds()).ok());
    for (const RegionSpec& spec : memory_.specs()) {
      const auto address = device.postcopyAddress(spec.guestAddr, spec.size);
      ASSERT_TRUE(address.ok());
      addresses_.push_back(*address);
    }
    ASSERT_TRUE(device.postcopyReady().ok());
  }

  // Whether somebody waits for a page, within `ms`.
  bool isAskedFor(int ms) const {
    pollfd entry{fd_.get(), POLLIN, 0};
    return ::poll(&entry, 1, ms) == 1;
  }
  // Supplies the pages that are asked for until `done`.
  template <class Done>
  void serve(Done done) {
    while (!done()) {
      if (!isAskedFor(10)) continue;
      uffd_msg message{};
      if (::read(fd_.get(), &message, sizeof message) != sizeof message) continue;
      ASSERT_EQ(message.event, UFFD_EVENT_PAGEFAULT);
      bring(message.arg.pagefault.address & ~std::uint64_t{4095});
      served++;
    }
  }

  std::uint32_t served = 0;

 private:
  void bring(std::uint64_t page) {
    for (std::size_t i = 0; i < addresses_.size(); i++) {
      const RegionSpec& spec = memory_.specs()[i];
      // Regions begin in the middle of a page of their file.
      const std::uint64_t lead = spec.mmapOffset % 4096;
      if (page - (addresses_[i] - lead) >= spec.size + lead) continue;
      alignas(4096) static std::byte bytes[4096];
      std::memcpy(bytes, source_.data() + (spec.mmapOffset - lead) + (page - (addresses_[i] - lead)), 4096);
      uffdio_copy copy{page, reinterpret_cast<std::uintptr_t>(bytes), 4096, 0, 0};
      EXPECT_EQ(::ioctl(fd_.get(), UFFDIO_COPY, &copy), 0) << errno;
      return;
    }
    ADD_FAILURE() << "a page outside of the guest is asked for";
  }

  const GuestMemory& memory_;
  std::vector<std::byte> source_;
  std::vector<std::uint64_t> addresses_;
  Fd fd_;
};

template <class Ring>
class PostcopyOf : public ArenaTest {
 protected:
  static constexpr std::uint64_t kFeatures = kMergeable | virtio::kRingEventIdx | Ring::kFeatures;

  void SetUp() override {
    ArenaTest::SetUp();
    pool_ = &this->makePool(64);
    slot_ = *slots::allocate();
    vhost::BindOptions bind;
    bind.pool = pool_->id();
    ASSERT_TRUE(device_.bind(0, slot_, vhost::Direction::kTx, bind).ok());
    slot().open(kSlotPortStopped);
  }
  void TearDown() override {
    EXPECT_TRUE(device_.unbind(0).ok());
    slots::release(slot_);
    ArenaTest::TearDown();
  }
  BurstSlot& slot() { return *slots::byId(slot_); }
  Status start(FakeGuest<Ring>& guest) { return device_.startRing(0, guest.rx.config(kFeatures)); }
  bool transmit(std::uint32_t length) {
    Handle packet = makePacket(*pool_, patternBytes(length));
    if (slot().run(&packet, 1) == 1) return true;
    freeChain(packet);
    return false;
  }

  Mempool* pool_ = nullptr;
  std::uint32_t slot_ = 0;
  vhost::Device device_{0, 2};
};

using Rings = ::testing::Types<SplitGuestRing, PackedGuestRing>;
TYPED_TEST_SUITE(PostcopyOf, Rings);

TYPED_TEST(PostcopyOf, OnlyABurstTouchesTheGuest) {
  GuestMemory memory(kSize);
  FakeGuest<TypeParam> guest(memory, 256, this->kFeatures, 65500);
  const auto config = guest.rx.config(this->kFeatures);
  ASSERT_TRUE(guest.post(1526));
  ASSERT_TRUE(guest.post(1526));
  Arriving arriving(memory);
  arriving.arriveAt(this->device_);
  // Everything that the control plane does with a ring. Were one of these to touch a page, it would not
  // return.
  ASSERT_TRUE(this->device_.startRing(0, config).ok());
  ASSERT_TRUE(this->device_.setCall(0, std::move(*createEventFd())).ok());
  ASSERT_TRUE(this->device_.setKick(0, std::move(*createEventFd())).ok());
  ASSERT_TRUE(this->device_.enableRing(0, true).ok());
  EXPECT_EQ(this->device_.wantKicks(0, true).code(), StatusCode::kBusy);
  EXPECT_TRUE(this->device_.state(0)->started);
  EXPECT_EQ(this->slot().used(), 0u);
  ASSERT_TRUE(this->device_.stopRing(0).ok());
  ASSERT_TRUE(this->device_.startRing(0, config).ok());
  EXPECT_FALSE(arriving.isAskedFor(0));
  // A burst waits for its pages and goes on with what was in them.
  std::atomic<bool> done{false};
  std::thread lcore([&] {
    while (!this->transmit(700)) {
    }
    done.store(true);
  });
  arriving.serve([&] { return done.load(); });
  lcore.join();
  EXPECT_GE(arriving.served, 3u);
  this->device_.postcopyEnd();
  ASSERT_TRUE(this->transmit(700));
  const auto packets = guest.receive();
  ASSERT_EQ(packets.size(), 2u);
  EXPECT_EQ(packets[0].frame, patternBytes(700));
  EXPECT_EQ(packets[1].frame, patternBytes(700));
}

// Hostile row 142: the source died; who waits is woken, and everything can be stopped.
TYPED_TEST(PostcopyOf, APageThatNeverComesStopsNobodyForEver) {
  GuestMemory memory(kSize);
  FakeGuest<TypeParam> guest(memory, 256, this->kFeatures, 65500);
  const auto config = guest.rx.config(this->kFeatures);
  Arriving arriving(memory);
  arriving.arriveAt(this->device_);
  ASSERT_TRUE(this->device_.startRing(0, config).ok());
  ASSERT_TRUE(this->device_.enableRing(0, true).ok());
  std::thread lcore([&] { (void)this->transmit(60); });
  ASSERT_TRUE(arriving.isAskedFor(10'000));
  this->device_.postcopyEnd();
  ASSERT_TRUE(this->device_.stopRing(0).ok());
  lcore.join();
}

using PostcopyRules = ArenaTest;

// Hostile row 141.
TEST_F(PostcopyRules, MessagesInTheWrongOrderAreRefused) {
  GuestMemory memory(kSize);
  vhost::Device device(0, 2);
  EXPECT_EQ(device.postcopyListen().code(), StatusCode::kBadState);
  EXPECT_EQ(device.postcopyReady().code(), StatusCode::kBadState);
  ASSERT_TRUE(device.postcopyAdvise().ok());
  EXPECT_EQ(device.postcopyReady().code(), StatusCode::kBadState);
  ASSERT_TRUE(device.setMemory(memory.specs(), memory.fds()).ok());
  // Pages of this table may be there already.
  EXPECT_EQ(device.postcopyListen().code(), StatusCode::kBadState);
  vhost::Device fresh(1, 2);
  ASSERT_TRUE(fresh.postcopyAdvise().ok());
  ASSERT_TRUE(fresh.postcopyListen().ok());
  ASSERT_TRUE(fresh.setMemory(memory.specs(), memory.fds()).ok());
  FakeGuest<SplitGuestRing> guest(memory, 256, kMergeable, 0);
  EXPECT_EQ(fresh.startRing(0, guest.rx.config(kMergeable)).code(), StatusCode::kBadState);
  EXPECT_FALSE(fresh.postcopyAddress(1, 2).ok());
  fresh.postcopyEnd();
  EXPECT_TRUE(fresh.startRing(0, guest.rx.config(kMergeable)).ok());
}

// What a child process finds after `prepare`: the code that open() fails with.
StatusCode openIn(void (*prepare)()) {
  const pid_t child = ::fork();
  if (child == 0) {
    prepare();
    const auto opened = Userfault::open();
    ::_exit(opened.ok() ? 0 : static_cast<int>(opened.status().code()));
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  return static_cast<StatusCode>(WEXITSTATUS(status));
}

TEST(Userfault, IsRefusedWhereMemoryIsFaultedInAtOnce) {
  // The system call itself: sanitizers make mlockall() do nothing.
  EXPECT_EQ(openIn([] { EXPECT_EQ(::syscall(SYS_mlockall, MCL_FUTURE), 0); }), StatusCode::kNotSupported);
}

TEST(Userfault, IsRefusedWhereTheKernelForbidsIt) {
  EXPECT_EQ(openIn([] {
              sock_filter rules[] = {
                  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_userfaultfd, 0, 1),
                  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
              };
              const sock_fprog program{4, rules};
              ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
              EXPECT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
            }),
            StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace pollwire::test
