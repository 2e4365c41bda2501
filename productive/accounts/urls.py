from productive.accounts.views import OrganizationViewSet
from productive.jsonapi.routers import Router

router = Router()
router.register("organizations", OrganizationViewSet)

urlpatterns = router.urls
